# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# PRIVATE: for this collection only; it may change at any time.
# Generated from src/model/distributions.ts: edit that, then run "npm run generate".
#
# Distributions that the bootstrap tools make, with their own archives.

from __future__ import annotations

from typing import Any

DISTRIBUTIONS: tuple[dict[str, Any], ...] = (
    {
        "name": "debian",
        "origin": "Debian",
        "suites": "bullseye|bookworm|trixie|forky|duke|sid|(?:old(?:old)?)?stable|testing|unstable|experimental",
        "architectures": ".*",
        "mirror": "apt",
        "keyring": "/usr/share/keyrings/debian-archive-keyring.gpg",
        "package": "debian-archive-keyring",
        "components": ("main", "contrib", "non-free", "non-free-firmware"),
    },
    {
        "name": "debian-archived",
        "origin": "Debian",
        "suites": "jessie|stretch|buster",
        "architectures": ".*",
        "mirror": "apt",
        "keyring": "/usr/share/keyrings/debian-archive-removed-keys.gpg",
        "package": "debian-archive-keyring",
        "components": ("main", "contrib", "non-free"),
    },
    {
        "name": "ubuntu",
        "origin": "Ubuntu",
        "suites": "trusty|xenial|bionic|focal|jammy|noble|plucky|questing|resolute|stonking|devel",
        "architectures": "amd64|i386",
        "mirror": "http://archive.ubuntu.com/ubuntu",
        "keyring": "/usr/share/keyrings/ubuntu-archive-keyring.gpg",
        "package": "ubuntu-keyring",
        "components": ("main", "universe", "restricted", "multiverse"),
    },
    {
        "name": "ubuntu-ports",
        "origin": "Ubuntu",
        "suites": "trusty|xenial|bionic|focal|jammy|noble|plucky|questing|resolute|stonking|devel",
        "architectures": "(?!amd64$|i386$).*",
        "mirror": "http://ports.ubuntu.com/ubuntu-ports",
        "keyring": "/usr/share/keyrings/ubuntu-archive-keyring.gpg",
        "package": "ubuntu-keyring",
        "components": ("main", "universe", "restricted", "multiverse"),
    },
)

# Parts of the archives with newer packages: {suite} and {mirror} are replaced.
POCKETS: tuple[dict[str, Any], ...] = (
    {
        "name": "updates",
        "distribution": "debian",
        "suites": "(?!(?:sid|unstable|experimental)$).*",
        "suite": "{suite}-updates",
        "beside": "{mirror}",
        "mirror": None,
    },
    {
        "name": "security",
        "distribution": "debian",
        "suites": "(?!(?:sid|unstable|experimental)$).*",
        "suite": "{suite}-security",
        "beside": "{mirror}-security",
        "mirror": "apt",
    },
    {
        "name": "updates",
        "distribution": "ubuntu",
        "suites": ".*",
        "suite": "{suite}-updates",
        "beside": "{mirror}",
        "mirror": None,
    },
    {
        "name": "security",
        "distribution": "ubuntu",
        "suites": ".*",
        "suite": "{suite}-security",
        "beside": "{mirror}",
        "mirror": "http://security.ubuntu.com/ubuntu",
    },
    {
        "name": "updates",
        "distribution": "ubuntu-ports",
        "suites": ".*",
        "suite": "{suite}-updates",
        "beside": "{mirror}",
        "mirror": None,
    },
    {
        "name": "security",
        "distribution": "ubuntu-ports",
        "suites": ".*",
        "suite": "{suite}-security",
        "beside": "{mirror}",
        "mirror": "http://ports.ubuntu.com/ubuntu-ports",
    },
)
