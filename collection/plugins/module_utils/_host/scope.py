# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: a scope of systemd for this process, with limits. Standard library only, no Ansible. Names can change at any time.

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._spec.nspawn_flags import SCOPE_PROPERTIES

_BOOTED = "/run/systemd/system"
_SOCKET = b"unix:path=/run/systemd/private"
_MANAGER = (b"org.freedesktop.systemd1", b"/org/freedesktop/systemd1", b"org.freedesktop.systemd1.Manager", b"StartTransientUnit")
_ALL = 0xFFFFFFFF
# Controllers of the limits of a job.
CONTROLLERS = ["memory", "cpu", "pids"]
# Seconds.
_PATIENCE, _PAUSE = 30, 0.001

# A property of a unit: name, type of the value in D-Bus, and the value's parts.
Property = tuple[str, str, Sequence[Any]]


class _BusError(ctypes.Structure):
    """sd_bus_error of sd_bus_error(3)."""

    _fields_ = [("name", ctypes.c_char_p), ("message", ctypes.c_char_p), ("need_free", ctypes.c_int)]


def has_scopes() -> bool:
    """Whether systemd is PID 1 of this host."""
    return os.path.isdir(_BOOTED)


def lacking_controllers() -> list[str]:
    """The CONTROLLERS that the host does not have in version 2 of control groups: systemd sets their limits, and the kernel does not know them."""
    try:
        with open("/sys/fs/cgroup/cgroup.controllers", encoding="ascii") as file:
            present = file.read().split()
    except OSError:
        present = []
    return [name for name in CONTROLLERS if name not in present]


def enter_scope(description: str, devices: Sequence[str] = (), limits: Sequence[Property] = ()) -> str:
    """Moves this process and its future children into a scope of their own, and returns the scope's name; empty on a host without systemd as PID 1.

    `devices`: device nodes that the processes may open beside the harmless ones. `limits`: properties beside those of each scope, or in their
    place. Raises RunnerError. Not systemd-run: in the PID namespace of a maintenance, a process has another id for systemd.
    """
    if not has_scopes():
        return ""
    unit = f"nspawn-runner-{os.urandom(8).hex()}.scope"
    allowed = [text for device in ("char-pts", *devices) for text in (device, "rw")]
    own: list[Property] = [
        # 0 is the process that sends the message.
        ("PIDs", "au", (1, 0)),
        ("Description", "s", (description,)),
        ("DeviceAllow", "a(ss)", (len(allowed) // 2, *allowed)),
    ]
    replaced = {_plain(name) for name, _kind, _values in limits}
    usual = [one for one in properties(SCOPE_PROPERTIES) if _plain(one[0]) not in replaced]
    _start(unit, [*own, *usual, *limits])
    deadline = time.monotonic() + _PATIENCE
    while unit not in _control_groups():
        if time.monotonic() > deadline:
            raise RunnerError(f"systemd did not start the scope {unit} within {_PATIENCE} s")
        time.sleep(_PAUSE)
    return unit


def _plain(name: str) -> str:
    """A property without the word that tells of a share."""
    return name[: -len("Scale")] if name.endswith("Scale") else name


def properties(settings: Mapping[str, str]) -> Iterator[Property]:
    """Properties in D-Bus for settings as in a unit's file."""
    for name, value in settings.items():
        if value == "yes":
            yield name, "b", (1,)
        elif value.endswith("%"):
            yield f"{name}Scale", "u", (_ALL * int(value[:-1]) // 100,)
        elif value.isdigit():
            yield name, "t", (int(value),)
        else:
            yield name, "s", (value,)


def _start(unit: str, settings: Sequence[Property]) -> None:
    library = ctypes.CDLL("libsystemd.so.0")
    bus = ctypes.c_void_p()
    error = _BusError()
    library.sd_bus_new(ctypes.byref(bus))
    try:
        library.sd_bus_set_address(bus, _SOCKET)
        status = library.sd_bus_start(bus)
        if status >= 0:
            signature, arguments = b"ssa(sv)a(sa(sv))", _arguments(unit, settings)
            status = library.sd_bus_call_method(bus, *_MANAGER, ctypes.byref(error), None, signature, *arguments)
        if status < 0:
            reason = error.message.decode(errors="replace") if error.message else os.strerror(-status)
            raise RunnerError("systemd starts no scope for the container", output=[reason])
    finally:
        library.sd_bus_error_free(ctypes.byref(error))
        library.sd_bus_flush_close_unref(bus)


def _arguments(unit: str, settings: Sequence[Property]) -> Iterator[Any]:
    """The values of StartTransientUnit(name, mode, properties, other units) for a C function with variable arguments."""
    yield from (unit.encode(), b"fail", ctypes.c_uint32(len(settings)))
    for name, kind, values in settings:
        yield from (name.encode(), kind.encode())
        number = ctypes.c_uint64 if kind == "t" else ctypes.c_uint32
        yield from (value.encode() if isinstance(value, str) else number(value) for value in values)
    yield ctypes.c_uint32(0)


def _control_groups() -> str:
    with open("/proc/self/cgroup", encoding="utf-8") as file:
        return file.read()
