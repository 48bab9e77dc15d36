# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# PRIVATE: for this collection only; it may change at any time.
# Generated from src/model/nspawn-runner-program.ts: edit that, then run "npm run generate".
#
# The command line of the program nspawn-runner.

from __future__ import annotations

from typing import Any

# Options before the verb, and the verbs. `nargs` is argparse's; "..." takes all words that follow. An option is absent where neither the command
# line nor the variable `env` of the environment sets it: then `default` holds.
PROGRAM: dict[str, Any] = {
    "name": "nspawn-runner",
    "description": "Runs jobs in throw-away containers on the images of this host, for GitLab Runner and for people.",
    "options": [
        {
            "flags": ["--root"],
            "name": "root",
            "metavar": "DIR",
            "type": "string",
            "default": "/var/lib/nspawn-runner",
            "env": "NSPAWN_RUNNER_ROOT",
            "choices": None,
            "help": "Directory with the images, one tree each.",
        },
        {
            "flags": ["--verbose", "-v"],
            "name": "verbose",
            "metavar": None,
            "type": "flag",
            "default": False,
            "env": None,
            "choices": None,
            "help": "Changes nothing: a configuration of nspawn-runner gives this option.",
        },
        {
            "flags": ["--debug"],
            "name": "debug",
            "metavar": None,
            "type": "flag",
            "default": False,
            "env": None,
            "choices": None,
            "help": "Changes nothing, like --verbose.",
        },
    ],
    "verbs": [
        {
            "name": "gitlab-config",
            "summary": "Answers GitLab Runner's config call: prints the settings of a job as JSON.",
            "description": (
                "Answers GitLab Runner's config call: prints the settings of a job as JSON. An image that does not exist "
                "or is not allowed is a failure of the job, with the nearest name. The image is that of the job, such as "
                "`trixie`, or the part behind the colon of a name such as `registry.example.org/debian:trixie`."
            ),
            "arguments": [],
            "options": [
                {
                    "flags": ["--default-image"],
                    "name": "default_image",
                    "metavar": "NAME",
                    "type": "string",
                    "default": None,
                    "env": None,
                    "choices": None,
                    "help": "Image of jobs that name none.",
                },
                {
                    "flags": ["--allow"],
                    "name": "allow",
                    "metavar": "GLOB",
                    "type": "list",
                    "default": [],
                    "env": None,
                    "choices": None,
                    "help": "Pattern of the images that jobs may use, such as `debian-*`; without this option, all images that allow jobs.",
                },
            ],
            "examples": [],
        },
        {
            "name": "prepare",
            "summary": "Starts the container of a job.",
            "description": (
                "Starts the container of a job. First, the rest of jobs that have lost their runner is removed, as by "
                "`sweep`. Without GitLab Runner, the job has the name of `--id`, and the image is an argument."
            ),
            "arguments": [
                {
                    "name": "image",
                    "metavar": "IMAGE",
                    "help": "Image of the job; by default the image that the job names.",
                    "nargs": "?",
                },
            ],
            "options": [
                {
                    "flags": ["--id"],
                    "name": "id",
                    "metavar": "ID",
                    "type": "string",
                    "default": None,
                    "env": None,
                    "choices": None,
                    "help": "Name of the job, where no GitLab Runner gives one.",
                },
                {
                    "flags": ["--default-image"],
                    "name": "default_image",
                    "metavar": "NAME",
                    "type": "string",
                    "default": None,
                    "env": None,
                    "choices": None,
                    "help": "Image of jobs that name none.",
                },
                {
                    "flags": ["--allow"],
                    "name": "allow",
                    "metavar": "GLOB",
                    "type": "list",
                    "default": [],
                    "env": None,
                    "choices": None,
                    "help": "Pattern of the images that jobs may use, such as `debian-*`; without this option, all images that allow jobs.",
                },
            ],
            "examples": ["nspawn-runner prepare --id nightly trixie"],
        },
        {
            "name": "run",
            "summary": "Runs a script as a stage of a job.",
            "description": (
                "Runs a script as a stage of a job. The container stays as the stage leaves it, for the next stage. A "
                "stage ends when its shell ends, and processes in the background do not hold it."
            ),
            "arguments": [
                {"name": "script", "metavar": "SCRIPT", "help": "File on this host with the script.", "nargs": None},
                {
                    "name": "stage",
                    "metavar": "STAGE",
                    "help": "Name of the stage, for messages; any name is possible.",
                    "nargs": "?",
                },
            ],
            "options": [
                {
                    "flags": ["--id"],
                    "name": "id",
                    "metavar": "ID",
                    "type": "string",
                    "default": None,
                    "env": None,
                    "choices": None,
                    "help": "Name of the job, where no GitLab Runner gives one.",
                },
                {
                    "flags": ["--shell"],
                    "name": "shell",
                    "metavar": "PATH",
                    "type": "string",
                    "default": None,
                    "env": None,
                    "choices": None,
                    "help": "Shell in the image that reads the script; by default `bash`, or `sh` in an image without it.",
                },
            ],
            "examples": ["nspawn-runner run --id nightly ./build.sh"],
        },
        {
            "name": "cleanup",
            "summary": "Ends a job and removes all that it left.",
            "description": "Ends a job and removes all that it left. A job that is gone already is no error.",
            "arguments": [],
            "options": [
                {
                    "flags": ["--id"],
                    "name": "id",
                    "metavar": "ID",
                    "type": "string",
                    "default": None,
                    "env": None,
                    "choices": None,
                    "help": "Name of the job, where no GitLab Runner gives one.",
                },
            ],
            "examples": ["nspawn-runner cleanup --id nightly"],
        },
        {
            "name": "toml",
            "summary": "Prints a section for GitLab Runner's config.toml.",
            "description": (
                "Prints a section for GitLab Runner's config.toml. The paths are those of this host. The address and the "
                "token of the runner are to be filled in."
            ),
            "arguments": [],
            "options": [],
            "examples": ["nspawn-runner toml >>/etc/gitlab-runner/config.toml"],
        },
        {
            "name": "exec",
            "summary": "Runs a command in a throw-away container of an image.",
            "description": (
                "Runs a command in a throw-away container of an image. Exit status, streams and terminal are those of the "
                "command. All that the command writes is removed at its end, except with `--here`."
            ),
            "arguments": [
                {"name": "image", "metavar": "IMAGE", "help": "Image.", "nargs": None},
                {"name": "cmd", "metavar": "CMD", "help": "Command and its arguments.", "nargs": "..."},
            ],
            "options": [
                {
                    "flags": ["--here"],
                    "name": "here",
                    "metavar": None,
                    "type": "flag",
                    "default": False,
                    "env": None,
                    "choices": None,
                    "help": "Bind the current directory, and run the command there; files that the command makes belong to the directory's owner.",
                },
                {
                    "flags": ["--boot"],
                    "name": "boot",
                    "metavar": None,
                    "type": "flag",
                    "default": False,
                    "env": None,
                    "choices": None,
                    "help": "Boot the image's init, such as systemd, before the command; needs systemd as PID 1 on this host.",
                },
                {
                    "flags": ["--storage"],
                    "name": "storage",
                    "metavar": "S",
                    "type": "string",
                    "default": None,
                    "env": None,
                    "choices": ["overlay", "tmpfs", "snapshot"],
                    "help": "Place of what the command writes: a layer on the image's disk, in memory, or a snapshot of btrfs.",
                },
            ],
            "examples": [
                "nspawn-runner exec trixie -- cat /etc/os-release",
                "nspawn-runner exec --here trixie -- make check",
            ],
        },
        {
            "name": "shell",
            "summary": "Opens a shell in a throw-away container of an image.",
            "description": "Opens a shell in a throw-away container of an image.",
            "arguments": [{"name": "image", "metavar": "IMAGE", "help": "Image.", "nargs": None}],
            "options": [],
            "examples": ["nspawn-runner shell trixie"],
        },
        {
            "name": "list",
            "summary": "Lists the images with system, generation, age and running jobs.",
            "description": "Lists the images with system, generation, age and running jobs.",
            "arguments": [],
            "options": [
                {
                    "flags": ["--json"],
                    "name": "json",
                    "metavar": None,
                    "type": "flag",
                    "default": False,
                    "env": None,
                    "choices": None,
                    "help": "Print JSON.",
                },
            ],
            "examples": [],
        },
        {
            "name": "jobs",
            "summary": "Lists the jobs with image, stage, age, memory and disk.",
            "description": "Lists the jobs with image, stage, age, memory and disk.",
            "arguments": [],
            "options": [
                {
                    "flags": ["--json"],
                    "name": "json",
                    "metavar": None,
                    "type": "flag",
                    "default": False,
                    "env": None,
                    "choices": None,
                    "help": "Print JSON.",
                },
            ],
            "examples": [],
        },
        {
            "name": "enter",
            "summary": "Opens a shell in a running job, or in one that was kept after its failure.",
            "description": "Opens a shell in a running job, or in one that was kept after its failure.",
            "arguments": [
                {"name": "job", "metavar": "JOB", "help": "Name of the job, as `jobs` lists it.", "nargs": None},
            ],
            "options": [],
            "examples": [],
        },
        {
            "name": "login",
            "summary": "Opens a shell in an image itself: changes stay.",
            "description": (
                "Opens a shell in an image itself: changes stay. Meanwhile, a maintenance of the image and new jobs on it "
                "are refused, and so is a login while a job uses the image."
            ),
            "arguments": [{"name": "image", "metavar": "IMAGE", "help": "Image.", "nargs": None}],
            "options": [],
            "examples": [],
        },
        {
            "name": "sweep",
            "summary": "Removes the rest of jobs that have lost their runner.",
            "description": (
                "Removes the rest of jobs that have lost their runner. Each `prepare` does the same. A timer and the "
                "start of the host are good times for it."
            ),
            "arguments": [],
            "options": [],
            "examples": [],
        },
        {
            "name": "chroot-list",
            "summary": "Lists the images by name and path.",
            "description": "Lists the images by name and path.",
            "arguments": [],
            "options": [],
            "examples": [],
        },
        {
            "name": "chroot-login",
            "summary": "Opens a shell in an image itself, as `login` does.",
            "description": "Opens a shell in an image itself, as `login` does.",
            "arguments": [{"name": "name", "metavar": "NAME", "help": "Image.", "nargs": None}],
            "options": [],
            "examples": [],
        },
        {
            "name": "chroot-create",
            "summary": "Creates the missing images: starts ansible-playbook, and says with which words.",
            "description": "Creates the missing images: starts ansible-playbook, and says with which words.",
            "arguments": [],
            "options": [],
            "examples": [],
        },
        {
            "name": "chroot-maintenance",
            "summary": "Maintains the images: starts ansible-playbook, and says with which words.",
            "description": "Maintains the images: starts ansible-playbook, and says with which words.",
            "arguments": [
                {"name": "image", "metavar": "IMAGE", "help": "Image; by default all of them.", "nargs": "?"},
            ],
            "options": [],
            "examples": [],
        },
    ],
}

# Exit statuses of the program itself.

# The command line is wrong. The message names the word.
EXIT_USAGE: int = 2

# Another program holds the image. Nothing was started.
EXIT_BUSY: int = 75

# The program itself failed. The message has the reason and the remedy.
EXIT_FAILED: int = 125
