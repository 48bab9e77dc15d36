# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: ranges of user ids for containers, taken as systemd-nspawn takes its own. Names can change at any time.

from __future__ import annotations

import grp
import os
import pwd
import random
from contextlib import suppress

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._tree.in_use import try_lock

LOCKS = "/run/systemd/nspawn-uid"
SIZE = 65536
_FIRST, _LAST = 524288, 1878982656
_TRIES = 1000


def take_range(locks: str = LOCKS) -> tuple[int, int]:
    """The first id of a range that no other container has, and the descriptor of its lock, which holds the range. Raises RunnerError or OSError."""
    os.makedirs(locks, mode=0o755, exist_ok=True)
    for _attempt in range(_TRIES):
        base = random.randrange(_FIRST, _LAST + 1, SIZE)
        descriptor = _locked(os.path.join(locks, str(base)))
        if descriptor is not None:
            if not _is_known(base):
                return base, descriptor
            give_back(base, locks)
            os.close(descriptor)
    raise RunnerError(f"no range of {SIZE} user ids is free for a container", f"end containers, and see {locks}")


def _locked(path: str) -> int | None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    # The holder before removes the file at its end.
    if try_lock(descriptor) and os.fstat(descriptor).st_nlink:
        return descriptor
    os.close(descriptor)
    return None


def _is_known(base: int) -> bool:
    """Whether the host has a user or a group with the first id of the range, as systemd-nspawn asks."""
    with suppress(KeyError):
        pwd.getpwuid(base)
        return True
    with suppress(KeyError):
        grp.getgrgid(base)
        return True
    return False


def give_back(base: int, locks: str = LOCKS) -> None:
    """Removes the file of a range's lock. The caller holds the lock."""
    with suppress(FileNotFoundError):
        os.unlink(os.path.join(locks, str(base)))


def forget_range(base: int, locks: str = LOCKS) -> None:
    """Removes the file that the killed holder of a range left, unless the range has a holder again."""
    path = os.path.join(locks, str(base))
    with suppress(FileNotFoundError):
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        if try_lock(descriptor):
            os.unlink(path)
        os.close(descriptor)
