# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the root directory of a job's container: the image's tree below, and a layer for all that the job writes. Names can change at any time.
#
# All mounts are made in the mount namespace of the job's supervisor, at paths below the job's directory, and end with the last process there.

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ansible_collections.nspawn.runner.plugins.module_utils._host import mount
from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import Busy, RunnerError, system_error
from ansible_collections.nspawn.runner.plugins.module_utils._host.process import run
from ansible_collections.nspawn.runner.plugins.module_utils._host.user_namespace import REMEDY, obstacle, user_namespace
from ansible_collections.nspawn.runner.plugins.module_utils._image.place import Place
from ansible_collections.nspawn.runner.plugins.module_utils._job import settings
from ansible_collections.nspawn.runner.plugins.module_utils._spec.job_settings import JobSettings
from ansible_collections.nspawn.runner.plugins.module_utils._tree import btrfs, in_use
from ansible_collections.nspawn.runner.plugins.module_utils._tree.traps import refuse_traps

OVERLAY, TMPFS, SNAPSHOT = "overlay", "tmpfs", "snapshot"
# Of the host's disk, this part stays free, and no more than these bytes.
_RESERVED_PART, _RESERVED_MOST = 20, 2 << 30
# A smaller ext4 file system has no room for a job.
_SMALLEST = 16 << 20
_IMAGE = "disk"


@contextmanager
def held(place: Place) -> Iterator[int]:
    """A descriptor of the published tree, held for the body as systemd-nspawn holds a tree that it only reads.

    A prune leaves a held tree alone, and a run in place is refused. Raises Busy while a run in place has the tree, or RunnerError.
    """
    while True:
        try:
            descriptor = os.open(place.path, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as problem:
            raise system_error(problem, f"the tree of image {place.image} cannot be opened") from problem
        try:
            with in_use.only_read(place.path):
                # A publish can have swapped the tree before the lock was taken.
                if os.path.samestat(os.fstat(descriptor), os.lstat(place.path)):
                    refuse_traps(f"/proc/self/fd/{descriptor}/.")
                    yield descriptor
                    return
        except Busy as problem:
            raise Busy(f"a run works on image {place.image} in place", "wait until it ends") from problem
        finally:
            os.close(descriptor)


def check_room(root: str) -> None:
    """Raises RunnerError if the file system of the images is nearly full: a job would take the rest, which publishes and records need."""
    space = os.statvfs(root)
    reserve = min(space.f_blocks * space.f_frsize // _RESERVED_PART, _RESERVED_MOST)
    free = space.f_bavail * space.f_frsize
    if free < reserve:
        found = f"the file system of {root} has {settings.size_text(free)} left, and the last {settings.size_text(reserve)} are no job's"
        raise RunnerError(found, "free some space there")


def build(directory: str, disk: str, tree: int, name: str, job: JobSettings, base: int | None) -> str:
    """Mounts the container's root directory, and returns its path.

    `directory`: the job's. `disk`: a path for the job on the image's disk, which is made where it is needed. `tree`: a descriptor of the tree.
    `name`: of the image, for messages. `base`: the first user id of the container; None without a user namespace. Raises RunnerError.
    """
    root = os.path.join(directory, "root")
    os.mkdir(root, 0o755)
    path = f"/proc/self/fd/{tree}/."
    try:
        if base is None:
            _fill(directory, disk, tree, root, job, None, 0)
        else:
            with user_namespace(base) as namespace:
                _fill(directory, disk, tree, root, job, namespace, base)
    except OSError as problem:
        reason = obstacle(path) if base is not None else ""
        if reason:
            raise RunnerError(reason.replace(path, f"the tree of image {name}"), REMEDY.replace("nspawn_runner_", "nspawn_runner_job_")) from problem
        raise system_error(problem, f"the root directory of a job on image {name} cannot be mounted") from problem
    return root


def _fill(directory: str, disk: str, tree: int, root: str, job: JobSettings, namespace: int | None, base: int) -> None:
    if job["storage"] == SNAPSHOT:
        _snapshot(disk, tree, root, job, namespace)
        return
    lower, layers = (os.path.join(directory, name) for name in ("lower", "layers"))
    for path in (lower, layers):
        os.mkdir(path, 0o700)
    mount.attach(tree, lower, namespace, read_only=True)
    if job["storage"] == TMPFS:
        size = settings.size(job.get("disk") or job["memory"], settings.memory_of_host())
        mount.mount("tmpfs", layers, mount.NODEV | mount.NOATIME, f"mode=700,size={size}")
    else:
        _make_private(disk)
        if job.get("disk"):
            _sized(disk, layers, settings.size(job["disk"]))
        else:
            # By this path, no colon or comma of the root directory's name comes into the options.
            mount.attach(disk, layers)
    upper, work = (os.path.join(layers, name) for name in ("upper", "work"))
    for path in (upper, work):
        os.mkdir(path, 0o755)
        os.chown(path, base, base)
    os.chmod(upper, stat.S_IMODE(os.stat(lower).st_mode))
    mount.mount("overlay", root, mount.NODEV | mount.NOATIME, f"lowerdir={lower},upperdir={upper},workdir={work},volatile")


def _make_private(path: str) -> None:
    """Makes a directory in the private state of a root directory, with the missing directories above. Only root can enter."""
    state = os.path.dirname(os.path.dirname(path))
    for directory in (state, os.path.dirname(path), path):
        with suppress(FileExistsError):
            os.mkdir(directory, 0o700)


def _sized(disk: str, layers: str, size: int) -> None:
    """Mounts a new file system of this size, in a file that takes as much room as it has content."""
    if size < _SMALLEST:
        raise RunnerError(f"a disk of {settings.size_text(size)} is too small for a job", f"give at least {settings.size_text(_SMALLEST)}")
    path = os.path.join(disk, _IMAGE)
    with open(path, "xb") as file:
        os.chmod(path, 0o600)
        file.truncate(size)
    # Without a journal, which would serve a disk that outlives a crash. One inode for 8 KiB, since jobs write many small files.
    options = ("-q", "-F", "-O", "^has_journal,^resize_inode", "-E", "nodiscard,lazy_itable_init=1,root_owner=0:0", "-m", "0", "-i", "8192")
    for argv in (["mkfs.ext4", *options, path], ["mount", "-t", "ext4", "-o", "loop,nodev,noatime,nobarrier", path, layers]):
        status, tail = run(argv)
        if status != 0:
            raise RunnerError(f"the disk of a job cannot be made: {argv[0]} ends with exit status {status}", output=tail)


def _snapshot(disk: str, tree: int, root: str, job: JobSettings, namespace: int | None) -> None:
    # For programs: a path could lead to the next generation.
    path = f"/proc/{os.getpid()}/fd/{tree}/."
    if job.get("disk"):
        raise RunnerError(
            "a job's disk on a snapshot of btrfs cannot be limited", "choose nspawn_runner_job_storage: overlay, or set no nspawn_runner_job_disk"
        )
    if not btrfs.has_subvolumes(path):
        remedy = "choose nspawn_runner_job_storage: overlay"
        raise RunnerError("storage 'snapshot' needs an image on btrfs, and the program btrfs", remedy)
    _make_private(disk)
    snapshot = os.path.join(disk, "tree")
    status, tail = run(["/bin/sh", "-c", 'cd "$0" && exec btrfs -q subvolume snapshot . "$1"', path, snapshot])
    if status != 0:
        raise RunnerError("no snapshot of the image can be made", "choose nspawn_runner_job_storage: overlay", tail)
    mount.attach(snapshot, root, namespace)
