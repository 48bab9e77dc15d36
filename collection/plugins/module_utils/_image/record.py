# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the record of an image's trees, state.json. Names can change at any time.

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import stat
import time
from calendar import timegm
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from ansible_collections.nspawn.runner.plugins.module_utils._host import files
from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError, system_error
from ansible_collections.nspawn.runner.plugins.module_utils._host.process import Log
from ansible_collections.nspawn.runner.plugins.module_utils._image.place import Place, make_shared
from ansible_collections.nspawn.runner.plugins.module_utils._spec import layout
from ansible_collections.nspawn.runner.plugins.module_utils._spec.image_state import CHANGE, GENERATION, HOLD, LAST_RUN

FORMAT = 1
_ID = r"\d{8}T\d{6}Z"
# An id after the year 9999 would have another form.
_LAST_YEAR = 9998
_DAY = 86400
# Seconds by which a time may be in the future, as after a small correction of the clock.
_AHEAD = 3600
_ID_TIME, _TIME = "%Y%m%dT%H%M%SZ", "%Y-%m-%dT%H:%M:%SZ"
# Bytes of a file that is read, and changes of packages that a record lists: packages with the longest names and versions still fit into the file.
_LIMIT = 16 << 20
_CHANGES = 10_000
# Characters of the last run's message, which can quote the output of a program in the tree.
_MESSAGE = 4096
# Another program may write 3 for 3.0.
_TYPES: dict[str, Any] = {"str": str, "bool": bool, "int": int, "float": (int, float), "list": list, "dict": dict}
# Results of a run that failed.
FAILURES = ("failed", "busy")
# A file of the state directory that only takes room, of these bytes beside those of a state.json.
_RESERVE, _RESERVED = "reserve", 1 << 16
# In memory on most hosts: the last run of each image, where state.json could not be written.
UNRECORDED = "/run/nspawn-runner-unrecorded"
# Fields that each last run has.
_RUN = {"started", "seconds", "result", "tasks_changed", "msg"}
_RESTORE = "restore it from a backup, or move it away"


def load(place: Place) -> dict[str, Any]:
    """The content of the image's state.json, or of an empty one if there is no file. Raises RunnerError for a damaged file."""
    path = os.path.join(place.state, layout.STATE_FILE)
    content = read_json(path)
    if content is None:
        return {"format": FORMAT, "image": place.image, "generations": []}
    fault = problem(content, place)
    if fault:
        found, remedy = fault
        raise RunnerError(f"{path} {found}", remedy)
    return {**content, "generations": _once(content, place)}


def _once(content: Mapping[str, Any], place: Place) -> list[dict[str, Any]]:
    """The generations, each one once: a tree that an editor listed twice would count twice among those that are kept.

    The mounts of all entries count, since each protects the tree. The published tree is none of the generations, unless one has its directory:
    so it is after a crash, until the swap is completed.
    """
    entries: dict[str, dict[str, Any]] = {}
    published = content.get("published", {}).get("id")
    for entry in content["generations"]:
        before = entries.get(entry["id"])
        if before is not None:
            mounts = dict.fromkeys([*before.get("mounts", ()), *entry.get("mounts", ())])
            before.update({"mounts": list(mounts)} if mounts else {})
        elif entry["id"] != published or files.exists(os.path.join(place.generations, entry["id"])):
            entries[entry["id"]] = dict(entry)
    return list(entries.values())


def heal_times(place: Place, log: Log) -> None:
    """Gives generations that a clock retired in the future the present time, since no age would let them go before that time comes.

    The caller holds the image's lock. Raises RunnerError.
    """
    present = time.time()
    # A clock that is behind now proves nothing about the times of the record.
    if os.stat(__file__).st_mtime > present + _DAY:
        return
    content = load(place)
    ahead = [entry for entry in content["generations"] if (seconds(entry.get("retired")) or 0) > present + _AHEAD]
    for entry in ahead:
        log(f"generation {entry['id']} was retired at {entry['retired']}, by a clock that was ahead: its age counts from now")
        entry["retired"] = now()
    if ahead:
        save(place, content)


def problem(content: Any, place: Place) -> tuple[str, str] | None:
    """The first fault of a record, as a verb phrase, with the remedy."""
    remedy = f"{_RESTORE}, which loses the image's history"
    if not isinstance(content, dict) or not isinstance(content.get("format"), int):
        return "is not a file of nspawn.runner", remedy
    if content["format"] > FORMAT:
        return "was written by a newer version of nspawn.runner", "install that version or a later one"
    generations = content.get("generations")
    published = [content["published"]] if "published" in content else []
    if not isinstance(generations, list) or not all(map(_is_generation, [*generations, *published])):
        return "is damaged", remedy
    if "hold" in content and not (_has_types(content["hold"], HOLD) and HOLD.keys() <= content["hold"].keys()):
        return "is damaged", remedy
    if "last_run" in content and not _has_types(content["last_run"], LAST_RUN):
        return "is damaged", remedy
    if content.get("image") != place.image:
        return f"is of the image '{content.get('image')}', not of {place.image}", remedy
    return None


def _is_generation(entry: Any) -> bool:
    # An id becomes the name of a directory, so its form is checked as well.
    if not _has_types(entry, GENERATION) or not is_id(entry.get("id", "")):
        return False
    if not all(isinstance(mount, str) for mount in entry.get("mounts", [])):
        return False
    return all(_has_types(package, CHANGE) and "name" in package for package in entry.get("packages", []))


def _has_types(entry: Any, types: Mapping[str, str]) -> bool:
    return isinstance(entry, dict) and all(isinstance(entry[name], _TYPES[kind]) for name, kind in types.items() if name in entry)


def read_json(path: str) -> Any:
    """The content of a JSON file; None if there is no file. Raises RunnerError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            text = file.read(_LIMIT + 1)
        if len(text) > _LIMIT:
            raise RunnerError(f"{path} is larger than {_LIMIT >> 20} MiB", _RESTORE)
        content = json.loads(text)
        if content is None:
            raise RunnerError(f"{path} holds null, not a JSON object", _RESTORE)
        return content
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise system_error(exc, f"{path} cannot be read") from exc
    except (ValueError, RecursionError) as exc:
        raise RunnerError(f"{path} is not valid JSON", _RESTORE) from exc


def save(place: Place, content: dict[str, Any]) -> None:
    """Replaces the image's state.json, except the last run: a run that does not have the image's lock may have written it meanwhile.

    Raises RunnerError, also for a record that could not be read again.
    """
    with _writing(place):
        _write(place, {**content, **_present_run(place)})


def save_run(place: Place, run: Mapping[str, Any], failed: bool) -> dict[str, Any]:
    """Replaces the last run in the image's state.json, and returns the entry, with `since` and `failed_runs`. Raises RunnerError.

    The caller need not hold the image's lock. `failed`: whether the run failed.
    """
    with _writing(place):
        content = load(place)
        last = content.get("last_run", {})
        failures = last.get("failed_runs", int(last.get("result") in FAILURES))
        same = bool(failures) if failed else not failures and last.get("result") == run["result"]
        entry = {**run, "since": last.get("since", last.get("started", run["started"])) if same else run["started"]}
        if failed:
            entry["failed_runs"] = failures + 1
        _write(place, {**content, "last_run": entry})
    forget_unrecorded(place)
    return entry


def _present_run(place: Place) -> dict[str, Any]:
    with suppress(RunnerError):
        present = read_json(os.path.join(place.state, layout.STATE_FILE))
        if isinstance(present, dict) and _has_types(present.get("last_run"), LAST_RUN):
            return {"last_run": present["last_run"]}
    return {}


@contextmanager
def _writing(place: Place) -> Iterator[None]:
    """Keeps other processes from writing a state.json of this root directory. The image's lock alone does not: see save_run."""
    try:
        descriptor = os.open(os.path.dirname(place.state), os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
    except OSError as exc:
        raise system_error(exc, f"{os.path.join(place.state, layout.STATE_FILE)} cannot be written") from exc


def _write(place: Place, content: dict[str, Any]) -> None:
    path = os.path.join(place.state, layout.STATE_FILE)
    text = files.json_text(bounded(content))
    if len(text) > _LIMIT:
        raise RunnerError(f"{path} would be larger than {_LIMIT >> 20} MiB")
    try:
        files.write_text(path, text)
    except RunnerError as problem:
        if not files.is_full(problem.__cause__) or not give_up_reserve(place):
            raise
        files.write_text(path, text)
    # The copy of the next maintenance is whole again.
    with suppress(OSError, RunnerError):
        if _is_shared(place):
            files.write_text(place.shared, text, os.lstat(place.shared).st_gid)


def share(place: Place, group: int | None) -> None:
    """Gives this group a copy of the image's state.json, or without a group removes the copy. Raises RunnerError.

    The copy follows each later change of state.json.
    """
    path = os.path.join(place.state, layout.STATE_FILE)
    try:
        with _writing(place):
            if group is None and _is_shared(place):
                os.unlink(place.shared)
                # Without the last copy, the directory has no use.
                with suppress(OSError):
                    os.rmdir(os.path.dirname(place.shared))
            elif group is not None and os.path.lexists(path):
                make_shared(place.root)
                files.write_text(place.shared, files.json_text(load(place)), group)
    except OSError as exc:
        raise system_error(exc, f"{place.shared} cannot be written") from exc


def _is_shared(place: Place) -> bool:
    """Whether the image has a copy of its record, and not another file of the user at this path."""
    with suppress(OSError, RunnerError):
        directory = os.lstat(os.path.dirname(place.shared))
        if stat.S_ISDIR(directory.st_mode) and directory.st_uid == os.geteuid():
            content = read_json(place.shared)
            return isinstance(content, dict) and content.get("image") == place.image and "generations" in content
    return False


def mark_in_place(place: Place) -> None:
    """Notes that a run in place works on the published tree. The caller holds the image's lock. Raises RunnerError."""
    content = load(place)
    if "published" in content:
        content["published"]["in_place"] = now()
        save(place, content)


def keep_reserve(place: Place) -> None:
    """Keeps room for the next state.json and the last lines of the log, so that a full disk hides no failure. Without room there is no reserve."""
    path = os.path.join(place.state, _RESERVE)
    with suppress(OSError):
        size = _RESERVED
        with suppress(FileNotFoundError):
            size += os.lstat(os.path.join(place.state, layout.STATE_FILE)).st_size
        with suppress(FileNotFoundError):
            if os.lstat(path).st_size >= size:
                return
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
        try:
            with open(descriptor, "wb") as file:
                # Random bytes, which no file system compresses.
                file.write(os.urandom(size))
                file.flush()
                os.fsync(descriptor)
        except OSError:
            os.unlink(path)


def give_up_reserve(place: Place) -> bool:
    """Frees the room of `keep_reserve`; False if there is none."""
    try:
        os.unlink(os.path.join(place.state, _RESERVE))
        # btrfs frees the blocks with the next transaction.
        files.sync_file_system(place.state)
    except FileNotFoundError:
        return False
    except (OSError, RunnerError):
        pass
    return True


def unrecorded(place: Place) -> dict[str, Any] | None:
    """The last run if state.json could not be written; None if it was. Raises RunnerError."""
    run = read_json(_unrecorded_path(place))
    return run if _has_types(run, LAST_RUN) and run.keys() >= _RUN else None


def keep_unrecorded(place: Place, run: dict[str, Any]) -> None:
    """Keeps the last run in memory, for the doctor and the next run, when state.json cannot be written."""
    with suppress(OSError, RunnerError):
        os.makedirs(UNRECORDED, mode=0o700, exist_ok=True)
        files.write_json(_unrecorded_path(place), {**run, "msg": run["msg"][:_MESSAGE]})


def forget_unrecorded(place: Place) -> None:
    """Removes the run that `keep_unrecorded` kept, if there is one."""
    with suppress(OSError):
        os.unlink(_unrecorded_path(place))


def save_unrecorded(place: Place) -> None:
    """Records the last run if it could not be recorded at its time. The caller holds the image's lock."""
    with suppress(RunnerError):
        run = unrecorded(place)
        if run:
            save_run(place, run, run["result"] in FAILURES)


def _unrecorded_path(place: Place) -> str:
    return os.path.join(UNRECORDED, f"{hashlib.sha256(os.fsencode(place.state)).hexdigest()[:32]}.json")


def bounded(content: dict[str, Any]) -> dict[str, Any]:
    """The record as it is saved: with at most _CHANGES changes of packages, those of the newest trees first, so that it can be read again."""
    left = _CHANGES

    def cut(entry: dict[str, Any]) -> dict[str, Any]:
        nonlocal left
        packages = entry.get("packages", [])
        room, left = left, max(0, left - len(packages))
        if len(packages) <= room:
            return entry
        return {**entry, "packages": packages[:room], "packages_omitted": entry.get("packages_omitted", 0) + len(packages) - room}

    # In this order.
    newest: dict[str, Any] = {name: cut(content[name]) for name in ("published", "last_run") if name in content}
    if "msg" in newest.get("last_run", {}):
        newest["last_run"] = {**newest["last_run"], "msg": newest["last_run"]["msg"][:_MESSAGE]}
    return {**content, **newest, "generations": [cut(entry) for entry in content["generations"]]}


def now() -> str:
    """The time as state.json writes it, in UTC: 2026-11-23T23:15:00Z."""
    return time.strftime(_TIME, time.gmtime())


def seconds(timestamp: Any) -> float | None:
    """Seconds from 1970 to a time of state.json; None for any other value."""
    with suppress(TypeError, ValueError):
        return timegm(time.strptime(timestamp, _TIME))
    return None


def age(timestamp: Any) -> str:
    """The time that has passed since a time of state.json, such as `12 days`; empty for any other value."""
    then = seconds(timestamp)
    if then is None:
        return ""
    minutes = max(0, int(time.time() - then)) // 60
    count, unit = next(((minutes // size, unit) for size, unit in ((60 * 24, "day"), (60, "hour")) if minutes >= size), (minutes, "minute"))
    return f"{count} {unit}{'s' * (count != 1)}"


def new_id(taken: Iterable[str]) -> str:
    """An id for a tree: the present time, or a second after the latest of `taken` if the clock is behind. Raises RunnerError."""
    latest = max((timegm(time.strptime(entry, _ID_TIME)) for entry in taken if is_id(entry)), default=0)
    new = time.strftime(_ID_TIME, time.gmtime(max(time.time(), latest + 1)))
    if not is_id(new):
        remedy = "set the clock of this host, and move the generations of that time away"
        raise RunnerError(f"a new tree would have the id {new}, and ids end with the year {_LAST_YEAR}", remedy)
    return new


def is_id(name: str) -> bool:
    """Whether the name has the form of an id, 20261123T231500Z, with a possible date, after which further ids are possible."""
    if not re.fullmatch(_ID, name, re.ASCII) or int(name[:4]) > _LAST_YEAR:
        return False
    with suppress(ValueError):
        return bool(time.strptime(name, _ID_TIME))
    return False


def ids(place: Place, content: dict[str, Any]) -> set[str]:
    """All ids of the image's trees, of the record and of the generations directory."""
    known = {entry["id"] for entry in content["generations"]} | set(directories(place))
    return known | ({content["published"]["id"]} if content.get("published") else set())


def directories(place: Place) -> list[str]:
    """Names in the generations directory, the newest first."""
    try:
        return sorted(os.listdir(place.generations), reverse=True)
    except FileNotFoundError:
        return []
