# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: whether jobs can use a tree: a shell starts, and package database and init are there. Names can change at any time.

from __future__ import annotations

import os
import re
import stat

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._host.nspawn import (
    check_user_namespace,
    container_argv,
    flags,
    read_container_file,
)
from ansible_collections.nspawn.runner.plugins.module_utils._host.process import run
from ansible_collections.nspawn.runner.plugins.module_utils._spec.nspawn_flags import ENVIRONMENT
from ansible_collections.nspawn.runner.plugins.module_utils._tree import beneath
from ansible_collections.nspawn.runner.plugins.module_utils._tree.mount_points import make_mount_points
from ansible_collections.nspawn.runner.plugins.module_utils._tree.traps import refuse_traps

# Seconds for a shell that does nothing, and the exit status of timeout(1) when it had to kill.
_PATIENCE = 60
_KILLED = 128 + 9

# Parts of a tree that jobs need and that a broken task can remove.
DATABASE, INIT = "package database", "init"
# Files of the package managers' databases that are never empty.
_DATABASES = {
    "dpkg": ("var/lib/dpkg/status",),
    "rpm": tuple(f"{directory}/{name}" for directory in ("var/lib/rpm", "usr/lib/sysimage/rpm") for name in ("rpmdb.sqlite", "Packages", "Packages.db")),
    "pacman": ("var/lib/pacman/local/ALPM_DB_VERSION",),
    "apk": ("lib/apk/db/installed", "usr/lib/apk/db/installed"),
}
# The programs that systemd-nspawn boots. Where /sbin is a link, it leads to /usr/sbin, and this to /usr/bin in some distributions.
_SYSTEMD = ("usr/lib/systemd/systemd", "lib/systemd/systemd")
_INIT = ("usr/sbin/init", "usr/bin/init", "sbin/init")


def essentials(tree: str) -> frozenset[str]:
    """The parts that a tree has, of INIT, DATABASE, and DATABASE of a package manager. No program is run, no link followed. Raises OSError."""
    databases = [f"{DATABASE} of {manager}" for manager, paths in _DATABASES.items() if any(_has_content(tree, path) for path in paths)]
    has_init = any(_is_program(tree, path) for path in (*_SYSTEMD, *_INIT)) or any(_is_other_init(tree, path) for path in _INIT)
    return frozenset([*databases, *([DATABASE] if databases else []), *([INIT] if has_init else [])])


def refuse_losses(before: frozenset[str], tree: str) -> None:
    """Raises RunnerError if the tree lacks one of these essentials."""
    lost = before - essentials(tree)
    # Without any database, the package managers are not named.
    names = sorted(name for name in lost if name in (DATABASE, INIT) or DATABASE not in lost)
    if names:
        raise RunnerError(f"the new tree is not usable: it has lost its {' and its '.join(names)}")


def _has_content(tree: str, path: str) -> bool:
    status = _status(tree, path)
    return status is not None and stat.S_ISREG(status.st_mode) and status.st_size > 0


def _is_program(tree: str, path: str) -> bool:
    status = _status(tree, path)
    return status is not None and stat.S_ISREG(status.st_mode) and status.st_mode & 0o111 != 0


def _is_other_init(tree: str, path: str) -> bool:
    """Whether the path is a link to a program such as busybox. A link to systemd can dangle, and systemd has a path of its own."""
    parent, _slash, name = path.rpartition("/")
    with beneath.directory_beneath(tree, parent) as directory:
        try:
            return directory is not None and os.path.basename(os.readlink(name, dir_fd=directory)) != "systemd"
        except OSError:
            return False


def _status(tree: str, path: str) -> os.stat_result | None:
    """The status of an entry, of a link itself; None if there is no entry."""
    parent, _slash, name = path.rpartition("/")
    with beneath.directory_beneath(tree, parent) as directory:
        try:
            return None if directory is None else os.lstat(name, dir_fd=directory)
        except FileNotFoundError:
            return None


def check_usable(tree: str, name: str, state: str) -> None:
    """Runs a shell in a container on the tree. `name`, `state`: the image's name and private directory. Raises RunnerError if that fails."""
    refuse_traps(tree)
    with beneath.directory_beneath(tree, "usr") as usr:
        if usr is None:
            entries = ", ".join(sorted(entry[:40] for entry in os.listdir(tree))[:10])
            raise RunnerError(f"the new tree is not usable: {f'it has no directory /usr, only {entries}' if entries else 'it is empty'}")
    arguments, options = read_container_file(state)
    make_mount_points(tree, arguments)
    argv = container_argv(tree, [*flags(name), *arguments, "/bin/sh", "-c", ":"], limit=_PATIENCE)
    # The environment of systemd-nspawn has nothing of the caller's, since variables such as SYSTEMD_SECCOMP weaken the container.
    status, tail = run(argv, environment={**ENVIRONMENT, **options}, inherited=())
    if status == 0:
        return
    check_user_namespace(arguments, tree)
    text = "\n".join(tail)
    reason, remedy = f"a container on it ends with exit status {status}", ""
    if status == _KILLED:
        reason = f"a shell in it does not end within {_PATIENCE} s"
    elif "Exec format error" in text:
        reason, remedy = "its programs are of an architecture that this host cannot run", "use an architecture of this host"
    elif re.search(r"(execv|exec).*No such file", text, re.IGNORECASE):
        reason = "it has no /bin/sh that can run"
    raise RunnerError(f"the new tree is not usable: {reason}", remedy, tail)
