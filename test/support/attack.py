# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attacks on the host by root in a container. Prints a JSON object: the name of each attack, and "possible" or the name of the error."""

import ctypes
import errno
import fcntl
import glob
import json
import os
import platform
import socket
import stat
import struct
import tempfile
import termios
import time

libc = ctypes.CDLL(None, use_errno=True)
MS_REMOUNT, MS_BIND = 32, 4096
NULL = stat.S_IFCHR | 0o666, os.makedev(1, 3)


def mount(directory, kind, flags=0):
    os.makedirs(directory, exist_ok=True)
    if libc.mount(b"none", directory.encode(), kind and kind.encode(), flags, None) != 0:
        raise OSError(ctypes.get_errno(), "mount")


def write(path):
    os.close(os.open(path, os.O_WRONLY))


def proc():
    mount("/run/proc", "proc")
    write("/run/proc/sys/kernel/core_pattern")


def settings():
    """Looks for settings of the host that can be written. Those of the container's own namespaces can be."""
    mount("/run/proc", "proc")
    own = ("fs/mqueue/", "kernel/auto_msgmni", "kernel/msg", "kernel/ns_last_pid", "kernel/pid_max", "kernel/sem", "kernel/shm", "user/max_")
    found = False
    for directory, _directories, names in os.walk("/run/proc/sys"):
        for path in (os.path.join(directory, name) for name in names):
            if os.access(path, os.W_OK) and not os.path.relpath(path, "/run/proc/sys").startswith(own):
                found = True
                print(path)
    if not found:
        raise OSError(errno.EACCES, "no setting of the host")


def system_call(x86_64, aarch64, *arguments):
    number = {"x86_64": x86_64, "aarch64": aarch64}[platform.machine()]
    if libc.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), "system call")


def kernel_log():
    if libc.klogctl(3, ctypes.create_string_buffer(100), 100) < 0:
        raise OSError(ctypes.get_errno(), "klogctl")


def device():
    # TUNSETIFF with IFF_TUN.
    fcntl.ioctl(os.open("/dev/net/tun", os.O_RDWR), 0x400454CA, struct.pack("16sH22x", b"attack", 1))


def immutable():
    # FS_IOC_SETFLAGS with FS_IMMUTABLE_FL, which is no change for the file of an attack that succeeded.
    fcntl.ioctl(tempfile.mkstemp(dir="/root")[0], 0x40086602, struct.pack("i", 0x10))


def tmpfs():
    mount("/run/tmpfs", "tmpfs")
    os.mknod("/run/tmpfs/null", *NULL)


def remount():
    mount("/", None, MS_REMOUNT | MS_BIND)
    write("/root/zero")


def sysfs():
    mount("/run/sys", "sysfs")


def limits():
    mount("/run/cgroup", "cgroup2")
    found = glob.glob("/run/cgroup/*.max") + glob.glob("/sys/fs/cgroup/**/*.max", recursive=True)
    for path in found:
        if os.access(path, os.W_OK):
            print(path)
            return
    raise OSError(errno.EACCES, "no limit can be written")


def port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 81))


def descriptors():
    """Looks for a file of the host in all processes that are seen. Pipes, sockets and sealed memory lead to no file."""
    own = {os.stat(path).st_dev for path in ("/", "/dev", "/dev/pts", "/proc", "/run", "/tmp")}
    found = False
    for path in glob.glob("/proc/[0-9]*/fd/*"):
        try:
            status = os.stat(path)
            kind = stat.S_IFMT(status.st_mode)
            if kind in (stat.S_IFIFO, stat.S_IFSOCK) or status.st_dev in own or os.readlink(path).startswith("/memfd:"):
                continue
            found = True
            print(path, os.readlink(path))
            os.chmod(path, 0o666)
            os.utime(path)
        except OSError:
            pass
    if not found:
        raise OSError(errno.EPERM, "no file of the host")


def environment():
    for name in filter(str.isdigit, os.listdir("/proc")):
        with open(f"/proc/{name}/environ", "rb") as file:
            if b"SYSTEMD_NSPAWN_TMPFS_TMP=" in file.read():
                return
    raise OSError(errno.ENOENT, "no process of the host")


def terminal():
    fcntl.ioctl(os.open("/dev/tty", os.O_RDWR), termios.TIOCSTI, b"x")


ATTACKS = {
    "read a device node of the tree": lambda: os.read(os.open("/root/zero", os.O_RDONLY), 1),
    "write to a device node of the tree": lambda: write("/root/zero"),
    "mount the tree with devices": remount,
    "make a device node": lambda: os.mknod("/root/null", *NULL),
    "make a device node in a new file system": tmpfs,
    "mount devtmpfs": lambda: mount("/run/devtmpfs", "devtmpfs"),
    "write core_pattern in a new /proc": proc,
    "write another setting of the host": settings,
    "write core_pattern": lambda: write("/proc/sys/kernel/core_pattern"),
    "mount sysfs": sysfs,
    "mount debugfs": lambda: mount("/run/debug", "debugfs"),
    "change the limits of a control group": limits,
    "open a packet socket": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
    "open a raw socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
    "listen on a port below 1024": port,
    "make a network device": device,
    "load a kernel module": lambda: system_call(313, 273, 0, b"", 0),
    "read the kernel log": kernel_log,
    "load a program into the kernel": lambda: system_call(321, 280, 5, bytes(128), 128),
    "watch the processors": lambda: system_call(298, 241, struct.pack("II", 1, 112) + bytes(104), 0, -1, -1, 0),
    "make a file that root cannot change": immutable,
    "run before all other processes": lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)),
    "set the clock": lambda: time.clock_settime(time.CLOCK_REALTIME, 1),
    "read the environment of systemd-nspawn": environment,
    "reach the host by a descriptor": descriptors,
    "type into the terminal": terminal,
}


def tried(attack):
    try:
        attack()
    except OSError as problem:
        return errno.errorcode[problem.errno]
    return "possible"


print(json.dumps({name: tried(attack) for name, attack in ATTACKS.items()}))
