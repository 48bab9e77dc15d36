# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: a network of a job's own, with a way out by pasta, without any set-up of the host's network. Names can change at any time.
#
# The network namespace belongs to a user namespace beside the container's, with a user id that nothing else on the host has. pasta runs as this
# user: neither pasta nor the container has rights on the host's network, and the container cannot change its own.

from __future__ import annotations

import ctypes
import os
import re
import socket
import stat
import struct
import subprocess
import time
from collections.abc import Callable

from ansible_collections.nspawn.runner.plugins.module_utils._host import mount
from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._host.process import die_with_parent, find_program

# pasta passes on questions for this address to the host's name server, which can be one of the host's own loopback addresses.
_DNS = "169.254.1.1"
# pasta would ask these for the job: addresses at which clouds give credentials.
METADATA = ((socket.AF_INET, socket.inet_aton("169.254.169.254"), 32), (socket.AF_INET6, socket.inet_pton(socket.AF_INET6, "fd00:ec2::254"), 128))
_ARGUMENTS = (
    *("--config-net", "--foreground", "--quiet", "--no-map-gw", "--netns-only", "--runas", "0", "--dns-forward", _DNS),
    *("--tcp-ports", "none", "--udp-ports", "none", "--tcp-ns", "none", "--udp-ns", "none"),
)
TUN = "/dev/net/tun"
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
# Seconds for pasta's start.
_PATIENCE, _PAUSE = 10, 0.005
_RTM_NEWROUTE, _NLM_REQUEST_ACK_CREATE, _RTA_DST = 24, 0x405, 1
_TABLE_MAIN, _PROTOCOL_STATIC, _SCOPE_UNIVERSE, _UNREACHABLE = 254, 4, 0, 7
_libc = ctypes.CDLL(None, use_errno=True)


def enter_private(directory: str, users: int) -> None:
    """Makes the network, starts pasta as a child of this process, and moves this process into the network: its later children are there too.

    Not by systemd-nspawn: in the container's user namespace, it has no right to enter this network.

    `directory`: the job's. `users`: a descriptor of a user namespace of no other use. Raises RunnerError or OSError.
    """
    program = find_program("pasta")
    if not program:
        raise RunnerError("a private network needs the program pasta", "run apt install passt, or set nspawn_runner_job_network: none")
    _open_tun(directory)
    path = os.path.join(directory, "network")
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC))
    parent = os.getpid()
    ready, done = os.pipe()
    hold, release = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(release)
            die_with_parent(parent)
            _enter(users)
            _check(_libc.unshare(_CLONE_NEWNET))
            for family, address, length in METADATA:
                _forbid(family, address, length)
            os.write(done, b"1")
            os.read(hold, 1)
        finally:
            os._exit(0)
    os.close(done)
    os.close(hold)
    try:
        if not os.read(ready, 1):
            raise RunnerError("the host makes no network namespace", "set nspawn_runner_job_network: none or host")
        mount.bind(f"/proc/{child}/ns/net", path)
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _start(program, descriptor, users, lambda: _has_route(child))
            _check(_libc.setns(descriptor, _CLONE_NEWNET))
        finally:
            os.close(descriptor)
    finally:
        os.close(ready)
        os.close(release)
        os.waitpid(child, 0)


def _open_tun(directory: str) -> None:
    """Lets pasta's user open the host's /dev/net/tun, in this mount namespace: udev allows that to all users, and some hosts have no udev."""
    status = os.stat(TUN)
    if status.st_mode & 0o666 != 0o666:
        place = os.path.join(directory, "tun")
        os.mkdir(place, 0o700)
        mount.mount("tmpfs", place, mount.NOSUID, "mode=755,size=64k")
        node = os.path.join(place, "tun")
        os.mknod(node, 0o666 | stat.S_IFCHR, status.st_rdev)
        os.chmod(node, 0o666)
        mount.bind(node, TUN)


def _enter(users: int) -> None:
    """Makes this process root of the user namespace, and nothing on the host."""
    os.setgroups([])
    _check(_libc.setns(users, _CLONE_NEWUSER))
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)


def _check(result: int) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _forbid(family: int, address: bytes, length: int) -> None:
    """Makes an address unreachable in the network namespace of this process."""
    route = struct.pack("BBBBBBBBI", family, length, 0, 0, _TABLE_MAIN, _PROTOCOL_STATIC, _SCOPE_UNIVERSE, _UNREACHABLE, 0)
    attribute = struct.pack("HH", 4 + len(address), _RTA_DST) + address
    size = 16 + len(route) + len(attribute)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW) as netlink:
        netlink.send(struct.pack("IHHII", size, _RTM_NEWROUTE, _NLM_REQUEST_ACK_CREATE, 1, 0) + route + attribute)
        error = struct.unpack_from("i", netlink.recv(4096), 16)[0]
        # A kernel without IPv6 has no such address to forbid.
        if error and family == socket.AF_INET:
            raise OSError(-error, os.strerror(-error))


def _has_route(pid: int) -> bool:
    with open(f"/proc/{pid}/net/route", encoding="ascii") as file:
        return any(line.split()[1] == "00000000" for line in file.readlines()[1:])


def _start(program: str, network: int, users: int, is_ready: Callable[[], bool]) -> None:
    parent = os.getpid()

    def prepare() -> None:
        _enter(users)
        # After the change of the user, which clears the request.
        die_with_parent(parent)

    # Only a module has run_command. pylint: disable-next=ansible-bad-function,subprocess-popen-preexec-fn
    process = subprocess.Popen(
        [program, *_ARGUMENTS, "--netns", f"/proc/self/fd/{network}"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd="/",
        pass_fds=[network],
        preexec_fn=prepare,
    )
    deadline = time.monotonic() + _PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        if is_ready():
            # The rest of pasta's messages goes nowhere.
            return
        time.sleep(_PAUSE)
    process.kill()
    output = process.communicate()[1].decode(errors="replace").splitlines()[-5:]
    raise RunnerError("pasta gives a job no network", "set nspawn_runner_job_network: none or host", output)


def resolv_conf(text: str) -> str:
    """The container's /etc/resolv.conf for a private network, from the host's."""
    rest = [line for line in text.split("\n") if line and not re.match(r"\s*(nameserver\b|[#;])", line)]
    return "\n".join([f"nameserver {_DNS}", *rest, ""])
