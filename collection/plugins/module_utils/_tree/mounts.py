# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the mount tables of this host, and files as these tables name them. Names can change at any time.

# A path proves nothing, not even one that /proc shows: each local user can make a mount namespace (unshare --user --mount) in which the path is
# another directory. So a file is known here by its place in a file system, which only the kernel can tell: see Place.

from __future__ import annotations

import ctypes
import fcntl
import os
import re
import stat
import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._tree.beneath import open_beneath

# ioctl_ns(2).
_NS_GET_USERNS, _NS_GET_OWNER_UID = 0xB701, 0xB704
# As many as the kernel follows.
_LINKS = 40
_MNT_DETACH = 2
_libc = ctypes.CDLL(None, use_errno=True)
HOST, CONTAINER, USER = "host", "container", "user"


class Place(NamedTuple):
    """A file by the device of its file system and the path there: the same through each mount and in each mount namespace."""

    # As in mountinfo: on btrfs stat(2) has other numbers.
    device: str
    path: str

    def holds(self, place: Place) -> bool:
        """Whether the other file is this one, or lies beneath this one."""
        return self.device == place.device and beneath(place.path, self.path)


class Mount(NamedTuple):
    """A line of mountinfo (proc(5))."""

    # No other mount of the host has this number.
    id: str
    # The directory that is mounted.
    root: Place
    # The directory on which it is mounted.
    point: str
    # Type of the file system.
    kind: str
    # With the kernel's octal escapes: a comma of a path is \054, a comma between two options is not escaped.
    options: str


class Namespace(NamedTuple):
    """A mount namespace that root has made."""

    # False for the namespace of a container in a user namespace, where the container can mount more.
    of_host: bool
    # The process that has this mount table, and the path of its root directory: mount points begin with this path.
    pid: str
    root: str
    mounts: list[Mount]
    # Ids of all processes, each with the path of its root directory; empty where the path is too long.
    processes: dict[str, str]


def processes() -> Iterator[str]:
    """Ids of all processes."""
    return (pid for pid in os.listdir("/proc") if pid.isdigit())


def namespaces() -> list[Namespace]:
    """The mount namespaces that root has made, the one of this process too. Mounts of other users are in none of them."""
    members: dict[str, dict[str, str]] = {}
    for pid in processes():
        with suppress(OSError):
            members.setdefault(os.readlink(f"/proc/{pid}/ns/mnt"), {})[pid] = link_text(f"/proc/{pid}/root")
    own, myself = os.readlink("/proc/self/ns/mnt"), os.readlink("/proc/self")
    found = []
    for name, roots in members.items():
        # A process in another root directory, by chroot(2), sees only the mounts there: such a process is asked last.
        for _chrooted, pid in [(False, myself)] if name == own else sorted((root != "/", pid) for pid, root in roots.items()):
            with suppress(OSError):
                maker = HOST if name == own else made_by(pid, "mnt")
                if maker != USER:
                    found.append(Namespace(maker == HOST, pid, roots[pid], list(mounts(pid, roots[pid])), roots))
                break
    return found


def made_by(pid: str, kind: str) -> str:
    """The possible maker of a namespace of the process, `kind` "mnt" or "user".

    HOST: root of this host; the user namespace is the one of this process. CONTAINER: root in a user namespace that root of this host made.
    USER: another user, in a user namespace of his own. Raises OSError if the process has ended.
    """
    descriptor = os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if kind == "mnt":
            owner = fcntl.ioctl(descriptor, _NS_GET_USERNS)
            os.close(descriptor)
            descriptor = owner
        if os.path.samestat(os.fstat(descriptor), os.stat("/proc/self/ns/user")):
            return HOST
        return USER if struct.unpack("I", fcntl.ioctl(descriptor, _NS_GET_OWNER_UID, bytes(4)))[0] else CONTAINER
    finally:
        os.close(descriptor)


def link_text(path: str) -> str:
    """The text of a link of /proc; empty if the process has ended, or the text is longer than the kernel can tell (ENAMETOOLONG)."""
    try:
        return os.readlink(path)
    except OSError:
        return ""


def mounts(pid: str, root: str = "/") -> Iterator[Mount]:
    """The mount table of a process. `root`: the path of the process's root directory. Raises OSError if the process has ended."""
    above = root.rstrip("/")
    with open(f"/proc/{pid}/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            before, _dash, after = line.rstrip("\n").partition(" - ")
            fields, more = before.split(" "), after.split(" ")
            yield Mount(fields[0], Place(fields[2], plain(fields[3])), (above + plain(fields[4])).rstrip("/") or "/", more[0], more[-1])


def plain(field: str) -> str:
    """A field of mountinfo without the kernel's escapes."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field) if "\\" in field else field


def beneath(path: str, directory: str) -> bool:
    """Whether a path is the directory or lies beneath the directory, by the texts alone."""
    return path == directory or path.startswith(f"{directory.rstrip('/')}/")


def as_kernel(path: str) -> str:
    """The path as /proc shows it: no symbolic links above the last component."""
    return os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))


def mount_point(path: str) -> str:
    """The mount point of the path's file system."""
    path = as_kernel(path)
    return max((mount.point for mount in mounts("self") if beneath(path, mount.point)), key=len)


def refuse_mounts(tree: str, *, itself: bool = True) -> None:
    """Raises RunnerError for a directory that has mount points beneath it, or `itself` is one."""
    tree = as_kernel(tree)
    points = [mount.point for mount in mounts("self") if beneath(mount.point, tree) and (itself or mount.point != tree)]
    if points:
        raise RunnerError(f"{tree} has mounts beneath it", f"run umount {' '.join(reversed(points))}")


def detach_foreign(tree: str) -> None:
    """Detaches the FUSE file systems that users of the host have mounted in a tree, on directories of their own, such as below /tmp."""
    tree = as_kernel(tree)
    # The outermost first, which takes the mounts on it along: the way to those leads through it.
    for mount in [*mounts("self")]:
        # By this option, the kernel names the user of the mount.
        if mount.kind.startswith("fuse") and beneath(mount.point, f"{tree}/") and "user_id=0" not in mount.options.split(","):
            # By a descriptor: the user can put a symbolic link in the place of each directory of his own.
            with suppress(OSError):
                descriptor = open_beneath(tree, os.path.relpath(mount.point, tree), os.O_PATH)
                try:
                    if _mount_id(descriptor) == mount.id:
                        _libc.umount2(f"/proc/self/fd/{descriptor}".encode(), _MNT_DETACH)
                finally:
                    os.close(descriptor)


def place_of(path: str) -> Place:
    """The place of a file of this host; of a symbolic link itself. Raises OSError or RunnerError."""
    descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        place = locate(descriptor, {mount.id: mount for mount in mounts("self")})
    finally:
        os.close(descriptor)
    if place is None:
        raise RunnerError(f"the file system of {path} is not in the mount table of this process", "run Ansible outside of a chroot")
    return place


def locate(descriptor: int, table: Mapping[str, Mount]) -> Place | None:
    """The place of an open file, without a question to the file system; None if its mount is not in the table. `table`: mounts by id."""
    mount = table.get(_mount_id(descriptor))
    if mount is None:
        return None
    path = os.readlink(f"/proc/self/fd/{descriptor}").removeprefix(mount.point.rstrip("/"))
    return Place(mount.root.device, (mount.root.path.rstrip("/") + path).rstrip("/") or "/")


def _mount_id(descriptor: int) -> str:
    with open(f"/proc/self/fdinfo/{descriptor}", encoding="ascii") as file:
        return next(line.split()[1] for line in file if line.startswith("mnt_id:"))


def find(pid: str, path: str, table: Mapping[str, Mount], device: str) -> Place | None:
    """The place of a directory at an absolute path in the root directory of a process, where symbolic links end too; None if there is none.

    `table`: mounts by id. `device`: of a file system that answers. Never enters another one whose server is a process (FUSE), since that process
    may not answer for ever.
    """
    chain: list[int] = []

    def enter(descriptor: int) -> None:
        chain.append(descriptor)
        mount = table[_mount_id(descriptor)]
        if mount.kind.startswith("fuse") and mount.root.device != device:
            raise FileNotFoundError

    try:
        enter(os.open(f"/proc/{pid}/root", os.O_PATH | os.O_CLOEXEC))
        names, links = path.split("/")[::-1], 0
        while names:
            name = names.pop()
            if name == ".." and len(chain) > 1:
                os.close(chain.pop())
            if name in ("", ".", ".."):
                continue
            enter(os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=chain[-1]))
            if stat.S_ISLNK(os.fstat(chain[-1]).st_mode):
                target, links = os.readlink("", dir_fd=chain[-1]), links + 1
                if links > _LINKS:
                    return None
                names += target.split("/")[::-1]
                for descriptor in chain[1:] if target.startswith("/") else chain[-1:]:
                    os.close(descriptor)
                    chain.remove(descriptor)
        return locate(chain[-1], table)
    # KeyError: a mount that is in no namespace of root's.
    except (OSError, KeyError):
        return None
    finally:
        for descriptor in chain:
            os.close(descriptor)
