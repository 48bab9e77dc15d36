# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the command line of the program nspawn-runner. Names can change at any time.

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module
from typing import Any, NoReturn

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import Busy, RunnerError, system_error
from ansible_collections.nspawn.runner.plugins.module_utils._spec.program import EXIT_BUSY, EXIT_FAILED, PROGRAM

# A verb's function, in a module of this folder, which is imported for this verb alone.
_FUNCTIONS = {
    "gitlab-config": "gitlab.config",
    "prepare": "gitlab.prepare",
    "run": "gitlab.run",
    "cleanup": "gitlab.cleanup",
    "toml": "toml.toml",
    "exec": "people.execute",
    "shell": "people.shell",
    "enter": "people.enter",
    "list": "report.images",
    "jobs": "report.jobs",
    "sweep": "sweep.sweep_all",
    "login": "login.login",
    "chroot-list": "report.paths",
    "chroot-login": "login.login",
    "chroot-create": "playbooks.create",
    "chroot-maintenance": "playbooks.maintenance",
}
# Statuses of failures are those of GitLab Runner's environment.
_OF_GITLAB = ("gitlab-config", "prepare", "run", "cleanup")
_WITHOUT_ROOT = ("toml",)


def main() -> NoReturn:
    """Runs the verb of the command line, and ends this process with its exit status."""
    arguments = parser().parse_args()
    status = EXIT_FAILED
    try:
        if os.geteuid() != 0 and arguments.verb not in _WITHOUT_ROOT:
            raise RunnerError(f"user {os.geteuid()} cannot start or see jobs", f"run {PROGRAM['name']} as root")
        module, _dot, function = _FUNCTIONS[arguments.verb].partition(".")
        status = getattr(import_module(f"{__package__}.{module}"), function)(arguments)
    except RunnerError as problem:
        status = _fail(arguments.verb, problem, EXIT_BUSY if isinstance(problem, Busy) else EXIT_FAILED)
    except BrokenPipeError:
        # The reader of a list has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except OSError as problem:
        status = _fail(arguments.verb, system_error(problem, f"{arguments.verb} has failed"), EXIT_FAILED)
    except KeyboardInterrupt:
        status = 130
    sys.stdout.flush()
    # Not the interpreter's own end, which takes longer.
    os._exit(status)


def _fail(verb: str, problem: RunnerError, status: int) -> int:
    """Prints the error, and returns the exit status."""
    sys.stdout.flush()
    sys.stderr.write(f"{PROGRAM['name']}: {problem}\n")
    sys.stderr.flush()
    if verb in _OF_GITLAB:
        from ansible_collections.nspawn.runner.plugins.module_utils._job.gitlab import failure_status

        return failure_status(problem, status)
    return status


def parser() -> argparse.ArgumentParser:
    """The parser for the program's options and verbs."""
    top = argparse.ArgumentParser(prog=PROGRAM["name"], description=PROGRAM["description"], allow_abbrev=False)
    _add_options(top, PROGRAM["options"])
    verbs = top.add_subparsers(dest="verb", metavar="VERB", required=True)
    for verb in PROGRAM["verbs"]:
        one = verbs.add_parser(verb["name"], help=verb["summary"], description=verb["description"], allow_abbrev=False)
        _add_options(one, verb["options"])
        for argument in verb["arguments"]:
            nargs = argparse.REMAINDER if argument["nargs"] == "..." else argument["nargs"]
            one.add_argument(argument["name"], metavar=argument["metavar"], help=argument["help"], nargs=nargs)
    return top


def _add_options(one: argparse.ArgumentParser, options: list[dict[str, Any]]) -> None:
    for option in options:
        default = os.environ.get(option["env"] or "") or option["default"]
        words: dict[str, Any] = {"dest": option["name"], "help": option["help"], "default": default}
        if option["type"] == "flag":
            words["action"] = "store_true"
        else:
            words.update(metavar=option["metavar"], choices=option["choices"], type=int if option["type"] == "integer" else str)
        if option["type"] == "list":
            words.update(action="append", default=None)
        one.add_argument(*option["flags"], **words)
