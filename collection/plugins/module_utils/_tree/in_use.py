# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: users of a tree: containers, processes and mounts. Names can change at any time.

# Four things use a tree, and only root can bring them about:
# 1. A lock of systemd-nspawn. The files of these locks are where only root can open them.
# 2. A mount of the tree, or an overlay with the tree as a layer, in a mount namespace that root made, for the host or for a container.
# 3. A process with the root directory in the tree. Only root can put a process there, or a container that root put there before; the process can
#    have any user, also one of a user namespace.
# 4. A process of root with the working directory, the program or an open file in the tree.
# Where the root directory of the images has mode 0700, nothing else has a way into a tree. Where it can be entered by all (0755), each local user
# can have the rest: a working directory or an open file in a tree, a bind mount or an overlay in a mount namespace of his own. These count for
# nothing: otherwise each local user could keep each image from being published, and each generation on the disk.

from __future__ import annotations

import fcntl
import os
import re
import struct
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import Busy
from ansible_collections.nspawn.runner.plugins.module_utils._host.process import stat_fields
from ansible_collections.nspawn.runner.plugins.module_utils._host.text import visible
from ansible_collections.nspawn.runner.plugins.module_utils._tree import mounts
from ansible_collections.nspawn.runner.plugins.module_utils._tree.mounts import Mount, Namespace, Place

LOCKS = "/run/systemd/nspawn/locks"
# Seconds. A container that ends locks the file exclusively for a moment, to remove it. A killed container ends after a delay.
_PATIENCE = 0.5
# The user id of the processes that count.
_ROOT = 0


@contextmanager
def unused(tree: str, overlays: Collection[str] = (), published: str | None = None) -> Iterator[None]:
    """Raises Busy for a tree that is in use, and RunnerError for one with mounts; no systemd-nspawn starts in the tree during the body.

    `overlays`: the overlay mounts that were made when the tree was at the path `published`, and still name this path (see overlay_mounts).
    """
    tree = mounts.as_kernel(tree)
    with _nspawn_lock(lock_file(os.lstat(tree)), tree):
        _check_lock_beside(tree)
        mounts.detach_foreign(tree)
        mounts.refuse_mounts(tree)
        place, namespaces = mounts.place_of(tree), mounts.namespaces()
        table = _table(namespaces)
        _check_processes(tree, place, namespaces, table)
        _check_mounts(tree, place, namespaces, table)
        if published:
            for mount in (mount for namespace in namespaces for mount in namespace.mounts):
                if _identity(mount) in overlays:
                    raise _busy(tree, f"the mount {visible(mount.point)}, made when the tree was at {published}")
        yield


@contextmanager
def only_read(tree: str) -> Iterator[None]:
    """Raises Busy for a tree that a container may write to; no such container starts during the body. Containers that only read may."""
    tree = mounts.as_kernel(tree)
    beside = lock_beside(tree)
    with ExitStack() as locks:
        locks.enter_context(_nspawn_lock(lock_file(os.lstat(tree)), tree, fcntl.F_RDLCK))
        if os.path.lexists(beside):
            locks.enter_context(_nspawn_lock(beside, tree, fcntl.F_RDLCK))
        yield


def users(trees: Iterable[str]) -> list[str]:
    """The users of these trees, as far as processes and mounts show them: containers by the name of the machine. Takes no lock."""
    namespaces = mounts.namespaces()
    table = _table(namespaces)
    found: dict[str, None] = {}
    for tree in map(mounts.as_kernel, trees):
        place = mounts.place_of(tree)
        for namespace in namespaces:
            try:
                _check_processes(tree, place, [namespace], table)
                _check_mounts(tree, place, [namespace], table)
            except Busy as user:
                found[_machine(namespace) or user.found.removeprefix(f"{visible(tree)} is in use by ")] = None
    return list(found)


def _machine(namespace: Namespace) -> str:
    """The name of the machine of the systemd-nspawn that started the processes of this mount namespace, visible; empty without one."""
    pid = namespace.pid
    with suppress(OSError):
        while (pid := stat_fields(pid)[1].decode()) != "0":
            with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as file:
                program, *arguments = file.read().split("\0")
            # Only the arguments of root's own program are the host's.
            if os.path.basename(program) == "systemd-nspawn" and mounts.made_by(pid, "user") == mounts.HOST and _is_root(pid):
                return next((f"container {visible(one.partition('=')[2])}" for one in arguments if one.startswith("--machine=")), f"container (process {pid})")
    return ""


def overlay_mounts(tree: str) -> list[str]:
    """Texts that identify the overlay mounts of root and of root's containers with the tree, by this path, as a layer."""
    place, namespaces = mounts.place_of(tree), mounts.namespaces()
    table = _table(namespaces)
    return sorted({_identity(mount) for namespace in namespaces for mount in namespace.mounts if _is_layer(place, mount, namespace, table)})


def _table(namespaces: Iterable[Namespace]) -> dict[str, Mount]:
    return {mount.id: mount for namespace in namespaces for mount in namespace.mounts}


def _identity(mount: Mount) -> str:
    # The kernel reuses a device number at once, so consecutive jobs have the same one. Their upper directories differ.
    return f"{mount.root.device} {mounts.plain(mount.options)}"


def lock_file(status: os.stat_result) -> str:
    """The lock file of systemd-nspawn for a directory, given by status, under any path."""
    return f"{LOCKS}/inode-{status.st_dev}:{status.st_ino}"


def _busy(tree: str, by: str) -> Busy:
    return Busy(f"{tree} is in use by {by}", "wait until it ends")


@contextmanager
def _nspawn_lock(path: str, tree: str, kind: int = fcntl.F_WRLCK) -> Iterator[None]:
    """Holds the lock that systemd-nspawn takes on the tree, exclusive or shared (F_RDLCK), for the body. Raises Busy after _PATIENCE."""
    os.makedirs(LOCKS, mode=0o700, exist_ok=True)
    deadline = time.monotonic() + _PATIENCE
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        locked = try_lock(descriptor, kind)
        if locked and os.fstat(descriptor).st_nlink:
            break
        os.close(descriptor)
        if not locked:
            if time.monotonic() >= deadline:
                raise _busy(tree, "a container of systemd-nspawn")
            time.sleep(0.01)
    try:
        yield
    finally:
        # As systemd-nspawn does. A shared holder would need the exclusive lock to remove the file, and a job starting then would be refused.
        if kind == fcntl.F_WRLCK:
            with suppress(FileNotFoundError):
                os.unlink(path)
        os.close(descriptor)


def lock_beside(tree: str) -> str:
    """The lock file of systemd-nspawn for a path, whichever directory is at the path."""
    return os.path.join(os.path.dirname(tree), f".#{os.path.basename(tree)}.lck")


def _check_lock_beside(tree: str) -> None:
    path = lock_beside(tree)
    with suppress(FileNotFoundError):
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if not try_lock(descriptor):
                raise _busy(tree, f"the process that holds the lock {path}")
        finally:
            os.close(descriptor)


def try_lock(descriptor: int, kind: int = fcntl.F_WRLCK) -> bool:
    """Locks an open file as systemd-nspawn does, exclusively or shared (F_RDLCK); False if another holder excludes that."""
    # struct flock: type, whence, start, length, pid. systemd-nspawn uses locks of the open file (F_OFD_SETLK), not of the process.
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", kind, os.SEEK_SET, 0, 0, 0))
    except (BlockingIOError, PermissionError):
        return False
    return True


def _check_processes(tree: str, place: Place, namespaces: Iterable[Namespace], table: Mapping[str, Mount]) -> None:
    paths = tuple(f"{path}/" for path in _paths(place, table.values()))
    for pid, root in (process for namespace in namespaces for process in namespace.processes.items()):
        # A process can end at any moment.
        with suppress(OSError):
            if _is_inside(pid, root, paths, place, table):
                with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
                    name = visible(file.read().rstrip("\n"))
                raise _busy(tree, f"process {pid} ({name})")


def _paths(place: Place, table: Iterable[Mount]) -> set[str]:
    """The paths of the tree through the mounts of directories above the tree."""
    roots = ((mount.point.rstrip("/"), mount.root) for mount in table if mount.root != place and mount.root.holds(place))
    return {point + place.path.removeprefix(root.path.rstrip("/")) for point, root in roots}


def _is_inside(pid: str, root: str, paths: tuple[str, ...], place: Place, table: Mapping[str, Mount]) -> bool:
    """Whether the process uses the tree. `root`: path of its root directory. `paths`: with a slash at the end, of the tree."""
    # The texts choose the few processes to look at, the kernel's numbers decide.
    if f"{root}/".startswith(paths) and _leads_into(f"/proc/{pid}/root", place, table) and mounts.made_by(pid, "user") != mounts.USER:
        return True
    # Processes with protected memory belong to root here, too.
    if os.stat(f"/proc/{pid}").st_uid != _ROOT:
        return False
    links = [f"/proc/{pid}/cwd", f"/proc/{pid}/exe", *(f"/proc/{pid}/fd/{name}" for name in os.listdir(f"/proc/{pid}/fd"))]
    inside = any(f"{mounts.link_text(link)}/".startswith(paths) and _leads_into(link, place, table) for link in links)
    return inside and _is_root(pid)


def _leads_into(link: str, place: Place, table: Mapping[str, Mount]) -> bool:
    """Whether a link of /proc leads into the tree."""
    # O_PATH asks no file system. stat(2) would wait for a FUSE server that does not answer.
    try:
        descriptor = os.open(link, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        found = mounts.locate(descriptor, table)
        return found is not None and place.holds(found)
    finally:
        os.close(descriptor)


def _is_root(pid: str) -> bool:
    """Whether all user ids of the process are root's: a setuid program has its user's id as well."""
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
        return next(line.split()[1:] for line in file if line.startswith("Uid:")) == [str(_ROOT)] * 4


def _check_mounts(tree: str, place: Place, namespaces: Iterable[Namespace], table: Mapping[str, Mount]) -> None:
    """Raises Busy for a tree that is mounted, or is a layer of an overlay, in a mount namespace that root made."""
    for namespace in namespaces:
        for mount in namespace.mounts:
            if place.holds(mount.root) or _is_layer(place, mount, namespace, table):
                raise _busy(tree, f"the mount {visible(mount.point)} that process {namespace.pid} sees")


def _is_layer(place: Place, mount: Mount, namespace: Namespace, table: Mapping[str, Mount]) -> bool:
    """Whether the mount is an overlay with a layer in the tree."""
    if mount.kind != "overlay":
        return False
    for layer in _layers(mount.options):
        for pid in _mounters(layer, mount, namespace):
            found = mounts.find(pid, layer, table, place.device)
            if found is not None:
                if place.holds(found):
                    return True
                break
    return False


def _mounters(layer: str, mount: Mount, namespace: Namespace) -> Iterator[str]:
    """Ids of processes that may have meant the layer's path in their own root directory, the likeliest first.

    The kernel shows only the path, and the root directory of the process that mounted the overlay is often not the one of the processes that see it.
    """
    pid = namespace.pid
    # The layers of the root directory itself are outside of the root directory.
    if namespace.of_host and mount.point != namespace.root:
        yield pid
    with suppress(OSError):
        while (pid := stat_fields(pid)[1].decode()) != "0":
            # A container with a user namespace can mount an overlay with any path, but does not choose the arguments of a program of root.
            if namespace.of_host or (mounts.made_by(pid, "user") == mounts.HOST and _is_root(pid) and _names(pid, layer)):
                yield pid


def _names(pid: str, path: str) -> bool:
    """Whether an argument of the process, such as --overlay=PATH:PATH:PATH, names the path in a list. A command inside can be an argument too."""
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        return re.search(rb"(?:^|[=:\0])" + re.escape(os.fsencode(path)) + b":", file.read()) is not None


def _layers(options: str) -> Iterator[str]:
    """The absolute paths of an overlay's layers."""
    for option in options.split(","):
        key, _equals, value = option.partition("=")
        if key.rstrip("+") in ("lowerdir", "upperdir", "workdir", "datadir"):
            layers = (re.sub(r"\\(.)", r"\1", layer) for layer in re.split(r"(?<!\\):", mounts.plain(value)))
            yield from (layer for layer in layers if layer.startswith("/"))
