# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# crash.py DIRECTORY SCENARIO kill|full STRIDE: kills a swap at each step, and the recovery at every STRIDE-th step, or lets all writing fail
# from that step on; then checks the state after the next run. Prints the number of cases.

from __future__ import annotations

import errno
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
from functools import partial

from ansible_collections.nspawn.runner.plugins.module_utils._host import files
from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._image import generations, publish, record
from ansible_collections.nspawn.runner.plugins.module_utils._image.place import Place, make_state
from ansible_collections.nspawn.runner.plugins.module_utils._tree.btrfs import is_btrfs

SUBVOLUMES = is_btrfs(sys.argv[1])
READS, WRITES = ("open",), ("mkdir", "rmdir", "unlink", "rename", "replace", "fsync")


def make(tree: str, content: str) -> None:
    if SUBVOLUMES:
        subprocess.run(["btrfs", "-q", "subvolume", "create", tree], check=True)
    else:
        os.mkdir(tree)
    with open(os.path.join(tree, "v"), "w") as file:
        file.write(content)


def value(tree: str) -> str | None:
    try:
        with open(os.path.join(tree, "v")) as file:
            return file.read()
    except FileNotFoundError:
        return None


def trees(place: Place) -> dict[str, str]:
    names = os.listdir(place.generations) if os.path.exists(place.generations) else []
    return {name: value(os.path.join(place.generations, name)) for name in names}


def set_up(place: Place, scenario: str) -> None:
    os.mkdir(place.root, 0o700)
    make_state(place.root, place.image)
    if scenario == "unrecorded":
        make(place.path, "old")
    elif scenario != "first":
        for content in ("older", "old"):
            make(place.staged, content)
            publish.publish(place, {"tasks_changed": 1})
    if scenario != "rollback":
        make(place.staged, "new")


def act(place: Place, scenario: str) -> str:
    notes = []
    if scenario == "rollback":
        generations.roll_back(place, None, tell=notes.append)
    else:
        publish.publish(place, {"tasks_changed": 2}, notes.append)
    return "".join(f"It is published. {note}" for note in notes)


def fault(step: int, how: str) -> None:
    """Lets this process die before the `step`-th call, or lets that call and all later calls that write fail."""
    calls = itertools.count()

    def around(function):
        def wrapped(*args, **kwargs):
            if how == "kill":
                # Steps have the same numbers each time: how many processes there are changes.
                if not str(args[0]).startswith("/proc/") and next(calls) == step:
                    os.kill(os.getpid(), signal.SIGKILL)
            elif is_here(args[0]) and (function is not system_open or args[1] & os.O_CREAT) and next(calls) >= step:
                raise full(args)
            return function(*args, **kwargs)

        return wrapped

    def is_here(where):
        return isinstance(where, int) or where.startswith(sys.argv[1])

    def full(args):
        if len(args) == 3 and isinstance(args[2], int) and isinstance(args[1], str):
            return RunnerError(os.strerror(errno.ENOSPC))
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    system_open = os.open
    for name in (*READS, *WRITES):
        setattr(os, name, around(getattr(os, name)))
    files.rename = around(files.rename)


def in_child(step: int, how: str, action) -> tuple[bool, str]:
    """Whether the action was disturbed, and its message: the reason of a failure, or the work that is left."""
    out, into = os.pipe()
    pid = os.fork()
    if pid == 0:
        message = "!"
        try:
            fault(step, how)
            message = action() or ""
        except RunnerError as problem:
            message = str(problem)
        except BaseException as problem:
            message = f"! {problem!r}"
        finally:
            os.write(into, message.encode())
            os._exit(0)
    os.close(into)
    with open(out) as file:
        message = file.read()
    killed = os.waitpid(pid, 0)[1] == signal.SIGKILL
    assert not message.startswith("!"), message
    return killed or bool(message), message


def check_whole(place: Place, scenario: str) -> str | None:
    """At every instant the path is the old tree or the new one."""
    current = value(place.path)
    assert current in {"rollback": ("older", "old"), "first": (None, "new")}.get(scenario, ("old", "new")), current
    return current


def check_settled(place: Place, scenario: str, current: str | None) -> None:
    assert value(place.path) == current, (value(place.path), current)
    assert not [name for name in os.listdir(place.state) if name not in ("generations", "state.json")], os.listdir(place.state)
    content = record.load(place)
    ids = [entry["id"] for entry in content["generations"]]
    kept = trees(place)
    assert sorted(ids, reverse=True) == ids == sorted(kept, reverse=True), (ids, kept)
    expected = {
        ("first", None): [],
        ("first", "new"): [],
        ("unrecorded", "old"): [],
        ("unrecorded", "new"): ["old"],
        ("publish", "old"): ["older"],
        ("publish", "new"): ["old", "older"],
        ("rollback", "old"): ["older"],
        ("rollback", "older"): ["old"],
    }[scenario, current]
    assert [kept[entry] for entry in ids] == expected, (kept, expected)
    assert ("hold" in content) == (current == "older"), content
    swapped = current in ("new", "older")
    assert all("retired" in entry for entry in content["generations"])
    recorded = content.get("published", {}).get("tasks_changed")
    assert recorded == {"new": 2, "older": 1, "old": None if scenario == "unrecorded" else 1, None: None}[current], (recorded, current)
    if swapped and expected:
        assert "mounts" in content["generations"][0]
    make(place.staged, "next")
    new = publish.publish(place, {})
    assert value(place.path) == "next" and new["id"] > max(ids, default="")
    assert sorted(trees(place).values()) == sorted([*expected, *([current] if current else [])])


def main(directory: str, scenario: str, how: str, stride: str) -> None:
    # The process dies, not the disk: syncs only take time.
    publish.files.sync_file_system = lambda path: None
    os.fsync = lambda descriptor: None
    cases, ends = 0, set()
    for step in itertools.count():
        for again in itertools.count(step % int(stride), int(stride)):
            root = os.path.join(directory, f"{scenario}-{how}-{step}-{again}")
            place = Place(root, "img")
            set_up(place, scenario)
            disturbed, message = in_child(step, how, partial(act, place, scenario))
            current = check_whole(place, scenario)
            if how == "full" and disturbed:
                # Failed and published is never both.
                assert message.startswith("It is published.") == (current in ("new", "older")), (message, current)
            recovery_disturbed, _message = in_child(again, how, partial(publish.recover, place))
            assert check_whole(place, scenario) == current
            publish.recover(place)
            check_settled(place, scenario, current)
            cases += 1
            ends.add((disturbed, current))
            if not SUBVOLUMES:
                shutil.rmtree(root)
            if not recovery_disturbed:
                break
        if not disturbed:
            break
    # Both ends were seen, and the undisturbed one.
    assert len(ends) >= 3, ends
    print(json.dumps({"steps": step, "cases": cases}))


main(*sys.argv[1:])
