# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: a line of the doctor's table, and what its lines are about. Names can change at any time.

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.hosts import Image

OK, WARNING, PROBLEM = "ok", "warning", "problem"

# Of one check: result, what was found, remedy.
Rows = Iterator[tuple[str, ...]]


class Check(NamedTuple):
    """A line of the table."""

    check: str
    result: str
    found: str
    remedy: str = ""


class Subject(NamedTuple):
    """An image as a maintenance would find it."""

    image: Image
    connection: str
    # None without a playbook, or with a problem.
    settings: Mapping[str, Any] | None = None
    problem: str | None = None


def found_and_remedy(sentence: str) -> tuple[str, str]:
    """Both parts of an error of ours, which ends with what to do."""
    found, colon, remedy = sentence.rpartition(": ")
    return (found, re.sub("^run ", "", remedy)) if colon else (sentence, "")
