# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# PRIVATE: for this collection only; it may change at any time.
# Generated from src/model/bootstrap-tools.ts: edit that, then run "npm run generate".
#
# The programs that make a tree, in order of preference.

from __future__ import annotations

from typing import Any

# {suite}, {tree}, {mirror} and so on are replaced in arguments and configuration lines; one with an unset value is left out.
# {sources...} becomes an argument per repository.
BOOTSTRAP_TOOLS: tuple[dict[str, Any], ...] = (
    {
        "name": "mmdebstrap",
        "program": "mmdebstrap",
        "package": "mmdebstrap",
        "under": None,
        "arguments": (
            "--mode=root",
            "--format=directory",
            "--variant={variant}",
            "--architectures={architecture}",
            "--components={components}",
            "--include={packages}",
            "--keyring={keyring}",
            "--aptopt=Acquire::http::Timeout \"10\"",
            "--aptopt=Acquire::https::Timeout \"10\"",
            "--aptopt=Acquire::Retries \"2\"",
            "--aptopt=Dir::Etc::netrc \"{config}\"",
            "{suite}",
            "{tree}",
            "{sources...}",
        ),
        "suite_files": (),
        "upgrade": False,
        "config_variable": None,
        "config_lines": ("{login}",),
        "leftovers": ("etc/apt/apt.conf.d/99mmdebstrap", "usr/sbin/policy-rc.d"),
    },
    {
        "name": "debootstrap",
        "program": "debootstrap",
        "package": "debootstrap",
        "under": "eatmydata",
        "arguments": (
            "--variant={variant}",
            "--arch={architecture}",
            "--components={components}",
            "--include={packages}",
            "--keyring={keyring}",
            "{suite}",
            "{tree}",
            "{mirror}",
        ),
        "suite_files": ("/usr/share/debootstrap/scripts/{suite}",),
        "upgrade": True,
        "config_variable": "WGETRC",
        "config_lines": ("timeout = 10", "tries = 2", "user = {user}", "password = {password}"),
        "leftovers": ("var/log/bootstrap.log", "usr/sbin/policy-rc.d"),
    },
)

# Packages of every image.
BASE_PACKAGES: tuple[str, ...] = ("dbus", "git", "python3", "python3-apt", "systemd")

# Variables of the environment and capabilities that the programs of a creation keep.
KEPT_VARIABLES: tuple[str, ...] = (
    "HOME",
    "TMPDIR",
    "http_proxy",
    "https_proxy",
    "ftp_proxy",
    "all_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "FTP_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
)
KEPT_CAPABILITIES: tuple[str, ...] = (
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "linux_immutable",
    "setfcap",
    "mknod",
    "sys_chroot",
    "sys_admin",
    "setgid",
    "setpcap",
    "setuid",
    "kill",
    "sys_ptrace",
    "audit_write",
    "net_bind_service",
    "sys_nice",
    "sys_resource",
)
