# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: an upgrade of a new tree in a container, from all of its repositories. Names can change at any time.

from __future__ import annotations

import os
from collections.abc import Sequence
from urllib.parse import unquote, urlsplit

from ansible_collections.nspawn.runner.plugins.module_utils._create.repositories import Repository
from ansible_collections.nspawn.runner.plugins.module_utils._host.nspawn import (
    check_user_namespace,
    container_argv,
    flags,
    proxy_environment,
    read_container_file,
)
from ansible_collections.nspawn.runner.plugins.module_utils._host.process import Log, run
from ansible_collections.nspawn.runner.plugins.module_utils._spec.bootstrap_tools import KEPT_VARIABLES
from ansible_collections.nspawn.runner.plugins.module_utils._spec.nspawn_flags import ENVIRONMENT, STAGED_FLAGS
from ansible_collections.nspawn.runner.plugins.module_utils._tree import beneath
from ansible_collections.nspawn.runner.plugins.module_utils._tree.mount_points import make_mount_points
from ansible_collections.nspawn.runner.plugins.module_utils._tree.traps import refuse_traps

# "unavailable, denied by policy" (invoke-rc.d(8)): no package starts a daemon. The bootstrap tool's leftovers name the file.
_POLICY, _DENY = "usr/sbin/policy-rc.d", b"#!/bin/sh\nexit 101\n"
_SCRIPT = (
    "apt='apt-get --assume-yes --no-install-recommends -o Acquire::http::Timeout=10 -o Acquire::https::Timeout=10 -o Acquire::Retries=2"
    " -o APT::Update::Error-Mode=any -o Dpkg::Use-Pty=0'; "
    '$apt update && $apt full-upgrade && $apt install -- "$@"'
)


def upgrade(tree: str, name: str, state: str, repositories: Sequence[Repository], packages: Sequence[str], proxy: str, log: Log) -> tuple[int, list[str]]:
    """Brings the tree's packages to the newest versions of its repositories, and installs `packages`. Raises OSError or RunnerError.

    `name`, `state`: the image's name and private directory. `proxy`: instead of the one in the environment. Returns the exit status and the last
    lines of output.
    """
    refuse_traps(tree)
    beneath.write_file(tree, _POLICY, _DENY, 0o755)
    arguments, options = read_container_file(state)
    # Creation needs the archives, also for an image without a network.
    arguments = [*(argument for argument in arguments if argument != "--private-network"), *_binds(repositories)]
    make_mount_points(tree, arguments)
    proxies = proxy_environment(proxy)
    inherited = [] if proxies else [variable for variable in KEPT_VARIABLES if variable.lower().endswith("_proxy") and variable in os.environ]
    # Without a value, so that the login of a proxy is in no argument list.
    environment = [f"--setenv={variable}" for variable in (*inherited, *proxies)]
    payload = ["--setenv=DEBIAN_FRONTEND=noninteractive", *environment, "--", "/bin/sh", "-c", _SCRIPT, "upgrade", *packages]
    status, tail = run(
        container_argv(tree, [*flags(name), *STAGED_FLAGS, *arguments, *payload]),
        log=log,
        environment={**ENVIRONMENT, **options, **proxies},
        inherited=inherited,
    )
    if status != 0:
        check_user_namespace(arguments, tree)
    return status, tail


def _binds(repositories: Sequence[Repository]) -> list[str]:
    """Arguments that show the host's own repositories in the container, under the same paths."""
    parts = (urlsplit(repository.url) for repository in repositories)
    paths = dict.fromkeys(os.path.normpath(unquote(part.path)) for part in parts if part.scheme in ("file", "copy"))
    return [f"--bind-ro={escaped}" for escaped in (path.replace(":", "\\:") for path in paths)]
