# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: a line of the doctor's table, and the images that lines are about. Names can change at any time.

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.hosts import Image

OK, WARNING, PROBLEM = "ok", "warning", "problem"

# Lines of one check: result, found, remedy.
Row = tuple[str, ...]
Rows = Iterator[Row]


class Check(NamedTuple):
    """A line of the table."""

    check: str
    result: str
    found: str
    remedy: str = ""


class Subject(NamedTuple):
    """An image with the settings that a maintenance would use."""

    image: Image
    connection: str
    # None for an image without a playbook, and for one with a problem.
    settings: Mapping[str, Any] | None = None
    problem: RunnerError | None = None


def error_row(result: str, problem: RunnerError, remedy: str = "") -> Row:
    """The line for an error. `remedy`: for an error without one."""
    return result, "; ".join([problem.found, *problem.output]), problem.remedy or remedy
