# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: a filter that answers fsync() and its like at once. Standard library only, no Ansible. Names can change at any time.

from __future__ import annotations

import ctypes

# Not msync(): programs call it to ask whether memory is mapped.
_CALLS = (b"fsync", b"fdatasync", b"sync", b"syncfs")
# From libseccomp's seccomp.h.
SCMP_ACT_ALLOW = ctypes.c_uint32(0x7FFF0000)
SCMP_ACT_ERRNO_0 = ctypes.c_uint32(0x00050000)
SCMP_FLTATR_ACT_BADARCH, SCMP_FLTATR_CTL_NNP = 2, 3


def suppress_sync() -> bool:
    """Sets a filter of system calls for this process and its future children: fsync(), fdatasync(), sync() and syncfs() succeed and do nothing.

    The effect of systemd-nspawn's --suppress-sync (systemd 250 and later), which also makes openat2() and O_SYNC fail. Returns whether the
    filter is in force: False without libseccomp, which each systemd-nspawn that filters system calls needs, or when the kernel refuses.
    Needs root.
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
    # By default a filter kills programs of another architecture, and takes from setuid programs their rights.
    if library.seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ALLOW) != 0:
        return False
    if library.seccomp_attr_set(context, SCMP_FLTATR_CTL_NNP, ctypes.c_uint32(0)) != 0:
        return False
    for call in _CALLS:
        # A name that libseccomp does not know is a negative number, which the next call refuses.
        if library.seccomp_rule_add(context, SCMP_ACT_ERRNO_0, library.seccomp_syscall_resolve_name(call), 0) != 0:
            return False
    return library.seccomp_load(context) == 0
