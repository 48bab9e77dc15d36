# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: programs that die with the run that started them. Names can change at any time.

from __future__ import annotations

import ctypes
import os
import select
import shutil
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from typing import IO, Any, cast

from ansible_collections.nspawn.runner.plugins.module_utils._host.text import LINE_LENGTH, visible_line

# Takes a line of output.
Log = Callable[[str], object]

# Lines of output that are kept.
TAIL_LINES = 20
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
# Seconds for the end of killed processes. One that waits for a broken disk does not end.
_PATIENCE = 10
# Added to a score of 0 to 1000, the share of the memory that a process uses in thousandths (proc_pid_oom_score_adj(5)).
_OOM_SCORE = 100
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def guarded(argv: list[str]) -> list[str]:
    """The argv of a command in new PID and mount namespaces: its processes and mounts end with the calling process.

    Call this in the thread that starts the command: the kernel sends the signal at the end of the parent thread (prctl(2), PR_SET_PDEATHSIG).
    """
    # If this process died before setpriv asked for the signal, the shell has another parent and starts nothing.
    return [
        *("setpriv", "--pdeathsig", "KILL", "--", "/bin/sh", "-c", '[ "$PPID" = "$0" ] && exec "$@"', str(os.getpid())),
        *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--", *argv),
    ]


def find_program(name: str) -> str | None:
    """The path of a program of the host, searched in PATH and in SYSTEM_PATH; None if the program is not installed."""
    # Without lstrip(), an empty PATH would mean the current directory.
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:{SYSTEM_PATH}".lstrip(":"))


def ignore(line: str) -> None:
    """A log that keeps nothing."""


def run(
    argv: list[str],
    *,
    log: Log = ignore,
    stdin: Any = subprocess.DEVNULL,
    environment: Mapping[str, str] | None = None,
    inherited: Collection[str] | None = None,
) -> tuple[int, list[str]]:
    """Runs a program from /, without a terminal; returns the exit status, negative for a signal, and the last TAIL_LINES lines of output.

    `log` gets each line as it comes, from standard output and standard error. `environment` is added to the variables of this process,
    or to those of them that are named in `inherited`. LC_ALL and PATH are always set.
    """
    kept = {name: value for name, value in os.environ.items() if inherited is None or name in inherited}
    # Only a module has run_command. pylint: disable-next=ansible-bad-function
    with subprocess.Popen(
        argv,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd="/",
        umask=0o022,
        start_new_session=True,
        env={**kept, "LC_ALL": "C", "PATH": f"{os.environ.get('PATH', '')}:{SYSTEM_PATH}".lstrip(":"), **(environment or {})},
    ) as process:
        tail: deque[str] = deque(maxlen=TAIL_LINES)
        try:
            for line in _lines(cast(IO[bytes], process.stdout).fileno()):
                tail.append(line)
                log(line)
        except BaseException:
            process.kill()
            raise
    return process.returncode, list(tail)


def _lines(descriptor: int) -> Iterator[str]:
    """Lines as they arrive. A line that is longer than LINE_LENGTH loses characters."""
    rest = b""
    while chunk := os.read(descriptor, 65536):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from map(visible_line, whole)
        if len(rest) > 2 * LINE_LENGTH:
            rest = rest[-LINE_LENGTH:]
    if rest:
        yield visible_line(rest)


def die_with_parent(parent: int | None = None) -> None:
    """Has the kernel kill this process when the parent process ends. `parent`: the parent's id, if known from before the fork."""
    parent = parent or os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def adopt_orphans() -> None:
    """Makes this process the parent of descendants without a living parent, instead of the host's first process."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_children() -> None:
    """Kills the children of this process, also those that it adopts meanwhile, and waits for their end, at most _PATIENCE."""
    deadline = time.monotonic() + _PATIENCE
    while (children := _children()) and time.monotonic() < deadline:
        for child in children:
            os.kill(child, signal.SIGKILL)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.01)


def _children() -> list[int]:
    own, found = os.getpid(), []
    for name in os.listdir("/proc"):
        with suppress(OSError, ValueError):
            if int(stat_fields(int(name))[1]) == own:
                found.append(int(name))
    return found


def offer_to_oom_killer() -> None:
    """Has the kernel choose this process and its children when memory is short, rather than Ansible's processes, which all images share."""
    path = "/proc/self/oom_score_adj"
    with suppress(OSError, ValueError):
        with open(path, encoding="ascii") as file:
            score = int(file.read())
        with open(path, "w", encoding="ascii") as file:
            file.write(str(min(1000, score + _OOM_SCORE)))


def die_with_ansible() -> None:
    """For a module: kills this process when one of the processes ends between this process and the main process of Ansible on this host.

    Shells and Ansible's worker run between the two. None of them ends with its parent.
    """
    die_with_parent()
    watched = [descriptor for descriptor in map(_pidfd, _ancestors()) if descriptor is not None]
    if watched:
        threading.Thread(target=_watch, args=(watched,), daemon=True).start()


def _watch(descriptors: list[int]) -> None:
    select.select(descriptors, [], [])
    os.kill(os.getpid(), signal.SIGKILL)


def _pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def stat_fields(pid: int | str) -> list[bytes]:
    """The fields of /proc/PID/stat after the program's name: state, parent's id and so on (proc(5)). OSError if the process has ended."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        # The program's name can contain spaces and parentheses.
        return file.read().rpartition(b")")[2].split()


def _ancestors() -> list[int]:
    """Ids of the parent, of the parent's parent and so on, up to the main process of Ansible; none over SSH."""
    above: list[tuple[int, list[bytes]]] = []
    pid = os.getppid()
    while pid > 1:
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                above.append((pid, file.read().split(b"\0")))
            pid = int(stat_fields(pid)[1])
        except OSError:
            break
    last = max((n for n, (pid, line) in enumerate(above) if _is_ansible(line)), default=-1)
    return [pid for pid, line in above[: last + 1]]


def _is_ansible(line: list[bytes]) -> bool:
    return any(os.path.basename(word).startswith(b"ansible") for word in line[:3])
