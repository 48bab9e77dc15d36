# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: a filter of system calls that skips fsync() and the like. Standard library only, no Ansible. Names can change at any time.

from __future__ import annotations

import ctypes

# Not msync(): programs test with msync() whether memory is mapped.
_CALLS = (b"fsync", b"fdatasync", b"sync", b"syncfs")
# From libseccomp's seccomp.h.
SCMP_ACT_ALLOW = ctypes.c_uint32(0x7FFF0000)
SCMP_ACT_ERRNO_0 = ctypes.c_uint32(0x00050000)
SCMP_FLTATR_ACT_BADARCH, SCMP_FLTATR_CTL_NNP = 2, 3


def suppress_sync() -> bool:
    """Sets a filter of system calls for this process and its future children: fsync(), fdatasync(), sync() and syncfs() succeed and do nothing.

    This is the effect of systemd-nspawn's --suppress-sync (systemd 250 and later), without blocking openat2() and O_SYNC.
    Returns whether the filter is in force: False without libseccomp (a dependency of each systemd-nspawn that filters system calls), without
    root rights, or if the kernel refuses the filter.
    """
    try:
        library = ctypes.CDLL("libseccomp.so.2")
    except OSError:
        return False
    library.seccomp_init.restype = ctypes.c_void_p
    pointer = library.seccomp_init(SCMP_ACT_ALLOW)
    if pointer is None:
        return False
    context = ctypes.c_void_p(pointer)
    try:
        return _load(library, context)
    finally:
        library.seccomp_release(context)


def _load(library: ctypes.CDLL, context: ctypes.c_void_p) -> bool:
    # The defaults would kill programs of another architecture, and disable setuid programs.
    if library.seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ALLOW) != 0:
        return False
    if library.seccomp_attr_set(context, SCMP_FLTATR_CTL_NNP, ctypes.c_uint32(0)) != 0:
        return False
    for call in _CALLS:
        # The number of an unknown system call is negative, and seccomp_rule_add() refuses the number.
        if library.seccomp_rule_add(context, SCMP_ACT_ERRNO_0, library.seccomp_syscall_resolve_name(call), 0) != 0:
            return False
    return library.seccomp_load(context) == 0
