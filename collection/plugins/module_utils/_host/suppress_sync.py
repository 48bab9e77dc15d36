# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: system calls that wait for the disk, answered at once. Standard library only, no Ansible. Names can change at any time.

from __future__ import annotations

import ctypes
from contextlib import suppress

# Not msync(), which programs ask whether memory is mapped. systemd-nspawn's --suppress-sync also refuses openat2() and O_SYNC.
_CALLS = (b"fsync", b"fdatasync", b"sync", b"syncfs")
# From libseccomp's seccomp.h.
_ALLOW, _ERRNO_0 = 0x7FFF0000, 0x00050000
_ON_OTHER_ARCHITECTURE, _NO_NEW_PRIVILEGES = 2, 3


def suppress_sync() -> None:
    """Has this process, and all that it starts, be told at once that all is on the disk. Without libseccomp nothing changes.

    Each systemd-nspawn that filters system calls brings libseccomp. Needs root.
    """
    with suppress(OSError):
        library = ctypes.CDLL("libseccomp.so.2")
        library.seccomp_init.restype = ctypes.c_void_p
        rules = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(_ALLOW)))
        # By default the one kills programs of another architecture, the other takes setuid programs their rights.
        library.seccomp_attr_set(rules, _ON_OTHER_ARCHITECTURE, ctypes.c_uint32(_ALLOW))
        library.seccomp_attr_set(rules, _NO_NEW_PRIVILEGES, ctypes.c_uint32(0))
        for call in _CALLS:
            library.seccomp_rule_add(rules, ctypes.c_uint32(_ERRNO_0), library.seccomp_syscall_resolve_name(call), 0)
        library.seccomp_load(rules)
        library.seccomp_release(rules)
