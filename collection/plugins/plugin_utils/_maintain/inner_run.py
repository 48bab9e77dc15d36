# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the ansible-playbook that runs one image's playbook, with the options of the outer run. Names can change at any time.

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import IO, Any, NamedTuple, cast

from ansible import constants as C

from ansible_collections.nspawn.runner.plugins.module_utils._create.bootstrap import BROKEN_ARCHIVE, BROKEN_ARCHIVE_REASON, BROKEN_ARCHIVE_REMEDY
from ansible_collections.nspawn.runner.plugins.module_utils._host import files
from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._host.paths import COLLECTIONS
from ansible_collections.nspawn.runner.plugins.module_utils._host.process import guarded
from ansible_collections.nspawn.runner.plugins.module_utils._host.text import visible_line
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.hosts import Image
from ansible_collections.nspawn.runner.plugins.plugin_utils._maintain.inner import VARIABLE, Inner, encode
from ansible_collections.nspawn.runner.plugins.plugin_utils._playbook.variables import NO_VAULT_PASSWORD, VAULT_REMEDY

CALLBACK = "nspawn.runner.inner_result"
# Bytes of output that are logged at a time: a longer line is logged in parts.
_LINE = 1 << 16
# Lines of a listing of the playbook's plays.
_LISTED = 10_000
# Bytes of the file with the result: a run with thousands of plays writes less.
_RESULT = 4 << 20

# Options of ansible-playbook that can affect an image's playbook: names in context.CLIARGS and flags.
_SWITCHES = {"become": "--become", "check": "--check", "diff": "--diff", "force_handlers": "--force-handlers"}
_VALUES = {
    "become_method": "--become-method",
    "become_user": "--become-user",
    "become_password_file": "--become-password-file",
    "connection_password_file": "--connection-password-file",
    "forks": "--forks",
    "private_key_file": "--private-key",
    "remote_user": "--user",
    "timeout": "--timeout",
}
_LISTS = {
    "inventory": "--inventory",
    "extra_vars": "--extra-vars",
    "vault_ids": "--vault-id",
    "vault_password_files": "--vault-password-file",
    "module_path": "--module-path",
}
_PROMPTS = {"ask_pass": "--ask-pass", "become_ask_pass": "--ask-become-pass", "ask_vault_pass": "--ask-vault-pass"}
_PASSWORD_FILES = {
    "ask_pass": "--connection-password-file",
    "become_ask_pass": "--become-password-file",
    "ask_vault_pass": "--vault-password-file",
}


class Outcome(NamedTuple):
    """A run that came to its end."""

    tasks_changed: int
    # Hosts of the plays that were left out, since they do not match the image.
    skipped_plays: list[str]


class RunError(RunnerError):
    """A run that did not do all of its playbook. `log`: the file with its output. `output`: the last lines of the task that failed."""

    def __init__(self, found: str, remedy: str = "", *, log: str, tasks_changed: int = 0, output: Sequence[str] = ()) -> None:
        super().__init__(found, remedy, output)
        self.log = log
        self.tasks_changed = tasks_changed

    def __str__(self) -> str:
        return self.told()

    def told(self, note: str = "") -> str:
        """The message: a first line that ends with the log and the note, then the output, indented so that it forges no line of another image."""
        first, *lines = super().__str__().split("\n")
        return "\n".join([f"{first} (all output: {self.log}){note}", *(f"    {line}" for line in lines)])


def timed_out(seconds: int, log: str) -> RunError:
    """The error of a maintenance that was ended after this time."""
    found = f"the maintenance took more than {seconds} seconds, the value of nspawn_runner_timeout, and was killed"
    return RunError(found, "see its last task in the log, or raise nspawn_runner_timeout", log=log)


def check_options(options: Mapping[str, Any]) -> None:
    """Refuses options that prompt for a password: an image's run has no terminal, and every user can read the arguments of a process."""
    for name, flag in _PROMPTS.items():
        if options.get(name):
            raise _no_prompt(flag, name)
    for identity in [*(options.get("vault_ids") or ()), *C.DEFAULT_VAULT_IDENTITY_LIST]:
        if identity.rpartition("@")[2] in ("prompt", "prompt_ask_vault_pass"):
            raise _no_prompt(f"--vault-id {identity}", "ask_vault_pass")
    for path in _password_files(options):
        with suppress(OSError):
            if not stat.S_ISREG(os.stat(path).st_mode):
                raise RunnerError(f"the password file {path} can be read only once", "use a regular file, or a program that prints the password")


def _no_prompt(flag: str, option: str) -> RunnerError:
    return RunnerError(f"{flag} cannot be passed on to the image's own run", f"use {_PASSWORD_FILES[option]}")


def _password_files(options: Mapping[str, Any]) -> list[str]:
    files = [options.get("become_password_file"), options.get("connection_password_file"), *(options.get("vault_password_files") or ())]
    files += [identity.rpartition("@")[2] for identity in options.get("vault_ids") or ()]
    return [file for file in files if file]


def inner_argv(image: Image, options: Mapping[str, Any]) -> list[str]:
    """The command for the image's playbook."""
    argv = [*_ansible_playbook(), "--limit", image.name]
    for name, flag in _LISTS.items():
        for value in options.get(name) or ():
            argv += [flag, value]
    for name, flag in _VALUES.items():
        if options.get(name) is not None:
            argv += [flag, str(options[name])]
    argv += [flag for name, flag in _SWITCHES.items() if options.get(name)]
    for name, flag in (("tags", "--tags"), ("skip_tags", "--skip-tags")):
        if options.get(name) and list(options[name]) != ["all"]:
            argv += [flag, ",".join(sorted(options[name]))]
    # The inner run reads the configured verbosity too, and -v adds to that.
    verbosity = options.get("verbosity", 0) - C.DEFAULT_VERBOSITY
    if verbosity > 0:
        argv.append(f"-{'v' * verbosity}")
    return [*argv, image.playbook]


def _ansible_playbook() -> list[str]:
    """The ansible-playbook of this process, or the one beside this Python. PATH comes last: another version may be there."""
    running = os.path.abspath(sys.argv[0])
    beside = os.path.join(os.path.dirname(sys.executable), "ansible-playbook")
    if os.path.basename(running) == "ansible-playbook" and os.path.isfile(running):
        return [sys.executable, running]
    if os.path.isfile(beside):
        return [sys.executable, beside]
    found = shutil.which("ansible-playbook")
    if not found:
        raise RunnerError("ansible-playbook is neither beside this Python nor on PATH", "install ansible-core")
    return [found]


def inner_environment(inner: Inner) -> dict[str, str]:
    collections = [str(path) for path in C.COLLECTIONS_PATHS]
    environment = {
        **os.environ,
        "ANSIBLE_CALLBACKS_ENABLED": ",".join([*C.CALLBACKS_ENABLED, CALLBACK]),
        # The outer run relays the lines: another callback, such as that of ansible-navigator, prints escape codes for its own program.
        "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
        "ANSIBLE_FORCE_COLOR": "0",
        "ANSIBLE_NOCOLOR": "1",
        VARIABLE: encode(inner),
        # Without a buffer each line of output appears at once.
        "PYTHONUNBUFFERED": "1",
    }
    if COLLECTIONS not in collections:  # for example, collections beside the outer playbook
        environment["ANSIBLE_COLLECTIONS_PATH"] = ":".join([COLLECTIONS, *collections])
    if C.CONFIG_FILE:
        environment["ANSIBLE_CONFIG"] = str(C.CONFIG_FILE)
    return environment


def run(argv: list[str], environment: Mapping[str, str], log: Callable[[bytes], None]) -> int:
    """Runs the command to its end, without a terminal, in this directory. The command and its children die with this process."""
    # For a child that a signal ended, unshare exits with a plain failure. A shell between the two exits with 128 + the signal's number.
    shell_argv = ["/bin/sh", "-c", '"$@"; exit $?', "sh", *argv]
    with subprocess.Popen(guarded(shell_argv), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=dict(environment)) as process:
        try:
            while line := cast(IO[bytes], process.stdout).readline(_LINE):
                log(line.rstrip(b"\n"))
        except BaseException:
            process.kill()
            raise
    return process.returncode


def check_plays(image: Image, options: Mapping[str, Any], environment: Mapping[str, str], log: Callable[[str], None]) -> None:
    """Refuses a playbook that Ansible cannot load, or of which no play matches the image: with its --list-hosts, which runs no task.

    `log`: gets the output of a listing that fails. Raises RunnerError.
    """
    argv = inner_argv(image, options)
    lines: deque[str] = deque(maxlen=_LISTED)
    status = run([*argv[:-1], "--list-hosts", argv[-1]], environment, lambda line: lines.append(visible_line(line)))
    if status != 0:
        error = next((line for line in lines if is_error(line.encode())), "")
        # A value that an earlier play of the run sets has none here.
        if error and not re.search("undefined|has no attribute", " ".join(lines)):
            log("\n".join(lines))
            reason = re.sub(r"^(ERROR!|\[ERROR\]:)\s*", "", error)
            raise RunnerError(f"{image.playbook} cannot run, so no tree was made for it: {reason}")
        return
    patterns = [match[1] for match in map(re.compile(r"    pattern: (.*)").fullmatch, lines) if match]
    if not any(re.fullmatch(r"    hosts \([1-9]\d*\):", line) for line in lines):
        raise RunnerError(*_unmatched(image, [", ".join(re.findall("'([^']*)'", pattern)) or pattern for pattern in patterns]))


def is_error(line: bytes) -> bool:
    """Whether a line of output begins an error of Ansible itself, before ansible-core 2.19 or since."""
    return re.match(rb"ERROR!|\[ERROR\]", line) is not None


def _unmatched(image: Image, patterns: Sequence[str]) -> tuple[str, str]:
    found = f"no play of {image.playbook} matches {image.name} (hosts of its plays: {'; '.join(patterns) or 'none'})"
    return found, f"write hosts: {image.name} or hosts: all"


def outcome(image: Image, status: int, result_file: str, log: str, errors: list[str]) -> Outcome:
    """The outcome of a run. RunError unless every play that names the image ran to its end, and all other plays name hosts that exist.

    The proof is the file that the callback writes: ansible-playbook also exits with 0 when no task ran at all.
    """
    try:
        with open(result_file, "rb") as file:
            text = file.read(_RESULT + 1)
    except FileNotFoundError:
        error = " ".join(filter(None, errors)).rstrip(".")
        found = f"the run of {image.playbook} {_ending(status)} before its end{f': {error}' if error else ''}"
        raise RunError(*_with_full(found, _remedy(error, image), result_file), log=log) from None
    if len(text) > _RESULT:
        raise RunError(f"the result of the run of {image.playbook} is larger than {_RESULT >> 20} MiB", "use fewer plays", log=log)
    result = json.loads(text)
    stats = result["stats"].get(image.name, {})
    changed = stats.get("changed", 0)
    if status != 0 or stats.get("failures") or stats.get("unreachable"):
        last = result.get("failure")
        found, remedy = _failed(last) if last else f"the run of {image.playbook} {_ending(status)}", ""
        if last and re.search(BROKEN_ARCHIVE, " ".join([last["msg"], *last.get("lines", ())])):
            found, remedy = f"{found.rstrip('.')}; {BROKEN_ARCHIVE_REASON}", BROKEN_ARCHIVE_REMEDY
        elif last and re.search(NO_VAULT_PASSWORD, last["msg"]):
            found, remedy = found.rstrip("."), VAULT_REMEDY
        found, remedy = _with_full(found, remedy, result_file)
        raise RunError(found, remedy, log=log, tasks_changed=changed, output=last.get("lines", ()) if last else ())
    skipped = list(dict.fromkeys(play["hosts"] for play in result["unmatched"]))
    if not result["plays"]:
        raise RunError(*_unmatched(image, skipped), log=log)
    for play in result["unmatched"]:
        if play["missing"]:
            near = f"; the nearest known name is {play['nearest']}" if play["nearest"] else ""
            found = f"{play['path'] or image.playbook}: the inventory has no host and no group {' or '.join(play['missing'])}{near}"
            raise RunError(found, f"correct hosts of this play, which was not run for {image.name}", log=log, tasks_changed=changed)
    if result["ended"] != len(result["plays"]):
        found = f"a play of {image.playbook} ended before its last task, by meta: end_host or end_play"
        raise RunError(found, "put `when` on a block instead", log=log, tasks_changed=changed)
    return Outcome(changed, skipped)


def _failed(failure: Mapping[str, Any]) -> str:
    """The sentence about a failed task. `failure`: as the callback records it."""
    place = f" in {failure['path']}" if failure.get("path") else ""
    return f"task '{failure['task']}'{place} failed: {failure['msg']}"


def _remedy(error: str, image: Image) -> str:
    """The remedy for an error of Ansible that names none."""
    if re.search(NO_VAULT_PASSWORD, error):
        return VAULT_REMEDY
    if "Could not find or access" in error:
        return f"write this file, or correct its path in {image.playbook} or in the file that imports it"
    return ""


def _with_full(found: str, remedy: str, result_file: str) -> tuple[str, str]:
    """A failure and its remedy, with the full file system that explains the failure: that of the trees, of Ansible's files or of the sessions."""
    full = files.full((os.path.dirname(result_file), str(C.DEFAULT_LOCAL_TMP), tempfile.gettempdir(), "/run"))
    return (f"{found}, since {full} (No space left on device)", "free some space there") if full else (found, remedy)


def _ending(status: int) -> str:
    number = -status if status < 0 else status - 128
    with suppress(ValueError):
        if number > 0:
            return f"was ended by signal {signal.Signals(number).name}"
    return f"ended with exit status {status}"
