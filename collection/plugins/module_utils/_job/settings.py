# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: an image's settings for jobs, as maintenance writes them. Names can change at any time.

from __future__ import annotations

import json
import os
import re
import stat
from typing import NamedTuple, cast

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError, system_error
from ansible_collections.nspawn.runner.plugins.module_utils._spec.job_settings import DEFAULTS, JobSettings
from ansible_collections.nspawn.runner.plugins.module_utils._spec.layout import JOB_FILE

_VERSION = 1
_LIMIT = 1 << 20
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_REMEDY = "run the maintenance of this image, which writes it again"


class ImageSettings(NamedTuple):
    job: JobSettings
    # Whether the image allows filters of system calls.
    seccomp: bool


def read_settings(state: str) -> ImageSettings:
    """The settings of the image with this private directory; defaults for an image without the file. Raises RunnerError.

    A file that others than root can write is refused: the settings give files and capabilities of the host to a job.
    """
    path = os.path.join(state, JOB_FILE)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return ImageSettings(DEFAULTS, True)
    except OSError as problem:
        raise system_error(problem, f"{path} cannot be read") from problem
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != 0 or status.st_mode & 0o022:
            raise RunnerError(f"{path} is not a file that only root can write", f"remove it, and {_REMEDY}")
        text = file.read(_LIMIT)
    try:
        content = json.loads(text)
        if content["version"] != _VERSION:
            raise RunnerError(f"{path} is of another version of nspawn.runner", _REMEDY)
        return ImageSettings(cast(JobSettings, {**DEFAULTS, **content["job"]}), bool(content.get("seccomp", True)))
    except (ValueError, RecursionError, KeyError, TypeError) as problem:
        raise RunnerError(f"{path} is damaged", _REMEDY) from problem


def size(text: str, whole: int = 0) -> int:
    """Bytes of a size such as "20G" or "0"; of a share such as "40%", that part of `whole`. Raises RunnerError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    share = re.fullmatch(r"(\d{1,3})%", text.strip())
    if share:
        return whole * int(share[1]) // 100
    if not match:
        raise RunnerError(f"'{text}' is not a size", "write a number with K, M, G or T, such as 20G")
    return int(float(match[1]) * _UNITS[match[2].upper()])


def memory_of_host() -> int:
    """Bytes of the host's memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def size_text(number: int) -> str:
    """A number of bytes for people, such as 2G or 1.5M."""
    for unit in ("T", "G", "M", "K"):
        if number >= _UNITS[unit]:
            return f"{number / _UNITS[unit]:.1f}".rstrip("0").rstrip(".") + unit
    return f"{number}"
