# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the image that a job asks for. Names can change at any time.

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError, system_error
from ansible_collections.nspawn.runner.plugins.module_utils._host.text import visible
from ansible_collections.nspawn.runner.plugins.module_utils._image import record
from ansible_collections.nspawn.runner.plugins.module_utils._image.place import Place, check_root, name_problem
from ansible_collections.nspawn.runner.plugins.module_utils._job.settings import ImageSettings, read_settings
from ansible_collections.nspawn.runner.plugins.module_utils._tree import beneath

# Characters of a name in a message.
_SHOWN = 100
_PROGRAMS = ("usr/local/bin", "usr/bin", "bin")


class WrongImage(RunnerError):
    """The job asks for an image that it cannot have: a fault of the job, which no retry repairs."""


class Image(NamedTuple):
    place: Place
    settings: ImageSettings
    # Id of the published tree, and its time; empty where the record knows none.
    generation: str
    created: str


def names(root: str) -> list[str]:
    """The images with a tree in this root directory, sorted. Raises RunnerError."""
    try:
        with os.scandir(root) as entries:
            found = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []
    except OSError as problem:
        raise system_error(problem, f"the images in {root} cannot be listed") from problem
    return sorted(name for name in found if name_problem(name) is None)


def candidates(wanted: str) -> list[str]:
    """The names of images that a name of a container registry can mean, the likeliest first.

    `registry.example.org/base:unstable` is the image `unstable`, else `base`, as for upstream's program; a digest is no name.
    """
    last = wanted.rsplit("/", 1)[-1].partition("@")[0]
    name, _colon, tag = last.partition(":")
    return [candidate for candidate in dict.fromkeys((tag, name)) if name_problem(candidate) is None]


def choose(root: str, wanted: str, allowed: Sequence[str] = ()) -> Image:
    """The image that a job asks for. `allowed`: patterns, of which one must match the image's name. Raises WrongImage, or RunnerError."""
    check_root(root)
    present = names(root)
    for candidate in candidates(wanted):
        if candidate in present:
            break
    else:
        raise WrongImage(f"there is no image '{visible(wanted[:_SHOWN])}' on this host", _remedy(root, wanted, present))
    if allowed and not any(fnmatchcase(candidate, pattern) for pattern in allowed):
        raise WrongImage(f"image {candidate} is not allowed for jobs of this runner", f"choose an image that matches {' or '.join(allowed)}")
    image = load(root, candidate)
    if not image.settings.job["allowed"]:
        raise WrongImage(f"image {candidate} is not for jobs", "choose another image")
    return image


def load(root: str, name: str) -> Image:
    """An image that is present. Raises RunnerError."""
    place = Place(root, name)
    try:
        if not stat.S_ISDIR(os.lstat(place.path).st_mode):
            raise FileNotFoundError
    except FileNotFoundError:
        raise WrongImage(f"there is no image '{visible(name[:_SHOWN])}' on this host", _remedy(root, name, names(root))) from None
    published: dict[str, Any] = {}
    # A damaged record is for maintenance to tell, and no reason to run no job.
    with suppress(RunnerError):
        published = record.load(place).get("published") or {}
    return Image(place, read_settings(place.state), published.get("id", ""), published.get("created", ""))


def has_program(tree: str, name: str) -> bool:
    """Whether the tree has a program of this name, which may be a link."""
    for directory in _PROGRAMS:
        with beneath.directory_beneath(tree, directory) as descriptor:
            if descriptor is not None:
                with suppress(OSError):
                    os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                    return True
    return False


def _remedy(root: str, wanted: str, present: Sequence[str]) -> str:
    # 25 ms of imports, for this message alone.
    from difflib import get_close_matches

    if not present:
        return f"run nspawn.runner.create, since {root} has no image"
    near = [match for candidate in candidates(wanted)[:1] for match in get_close_matches(candidate, present, 1)]
    return f"is '{near[0]}' meant?" if near else f"choose one of {', '.join(present[:20])}"
