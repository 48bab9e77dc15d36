# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the present state of an image, from its record and its tree. Names can change at any time.

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError, system_error
from ansible_collections.nspawn.runner.plugins.module_utils._host.text import LINE_LENGTH, visible
from ansible_collections.nspawn.runner.plugins.module_utils._image import record
from ansible_collections.nspawn.runner.plugins.module_utils._image.place import Place
from ansible_collections.nspawn.runner.plugins.module_utils._tree import in_use
from ansible_collections.nspawn.runner.plugins.module_utils._tree.size import size
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.hosts import Image
from ansible_collections.nspawn.runner.plugins.plugin_utils._status.jobs import jobs

HEADER = ("image", "system", "last run", "since", "tree", "held", "used by", "failed runs", "generations", "size")
# How many of the last columns are numbers.
NUMBERS = 3
# Seconds for the sizes of all trees together.
TIME = 20.0
_UNITS = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


def status(image: Image, system: str | None, error: str | None, deadline: float) -> dict[str, Any]:
    """The state of one image, ready for JSON: all text is visible.

    `system`: pretty_name of the tree. `error`: of the image's playbook. `deadline`: time.monotonic() at which no size is looked up any more.
    """
    place = Place(image.root, image.name)
    found: dict[str, Any] = {"image": image.name, "system": visible(system) if system else None, "problem": error and _line(error)}
    try:
        content = record.load(place)
        found.update(_history(content))
        found.update(_tree(place, content, deadline))
    except (RunnerError, OSError) as problem:
        found["problem"] = _line(str(system_error(problem) if isinstance(problem, OSError) else problem))
        return found
    if not found["problem"] and found["result"] in record.FAILURES:
        found["problem"] = _line(str(content["last_run"].get("msg", "the last run failed")))
    if not found["problem"] and image.playbook and not found["present"]:
        found["problem"] = f"{place.path} does not exist: run a maintenance"
    return found


def _line(text: str) -> str:
    return visible(text.split("\n", 1)[0])[:LINE_LENGTH]


def _history(content: Mapping[str, Any]) -> dict[str, Any]:
    run, hold, published = content.get("last_run", {}), content.get("hold"), content.get("published", {})
    failing = run.get("result") in record.FAILURES
    return {
        "result": _text(run.get("result")),
        "started": _text(run.get("started")),
        "since": _text(run.get("since", run.get("started"))),
        "failed_runs": run.get("failed_runs", int(failing)),
        "published": _text(published.get("published")),
        "generation": _text(published.get("id")),
        "hold": {name: visible(hold[name]) for name in ("since", "generation")} if hold else None,
    }


def _text(value: Any) -> str | None:
    return visible(value) if isinstance(value, str) else None


def _tree(place: Place, content: Mapping[str, Any], deadline: float) -> dict[str, Any]:
    earlier = [os.path.join(place.generations, name) for name in record.directories(place)]
    trees = [tree for tree in (place.path, *earlier) if os.path.isdir(tree) and not os.path.islink(tree)]
    present = place.path in trees
    recorded = content.get("published", {}).get("size")
    left = deadline - time.monotonic()
    measured = size(place.path, left) if recorded is None and present and left > 0 else recorded
    return {
        "present": present,
        "size": measured if present else None,
        "generations": len(earlier),
        "used_by": in_use.users(trees),
        "jobs": [job for job in jobs(place.root) if job["image"] == place.image],
    }


def row(found: Mapping[str, Any]) -> tuple[str, ...]:
    """The state as a line of the table below HEADER."""
    hold = found.get("hold")
    return (
        found["image"],
        found["system"] or "-",
        found.get("result") or ("missing" if found.get("present") is False else "-"),
        record.age(found.get("since")) or "-",
        record.age(found.get("published")) or "-",
        record.age(hold["since"]) or "yes" if hold else "-",
        ", ".join(found.get("used_by", ())) or "-",
        str(found.get("failed_runs", "-")),
        str(found.get("generations", "-")),
        _size(found.get("size")),
    )


def _size(number: int | None) -> str:
    if number is None:
        return "-"
    return next((f"{number / unit:.1f} {name}" for unit, name in _UNITS if number >= unit), f"{number} B")
