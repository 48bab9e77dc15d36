# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nspawn.runner.plugins.module_utils._host import scope
from ansible_collections.nspawn.runner.plugins.module_utils._job import cache, images, network, people, program, report, stages, supervisor, toml, uid_range
from ansible_collections.nspawn.runner.plugins.module_utils._spec.job_settings import DEFAULTS
from ansible_collections.nspawn.runner.plugins.module_utils._spec.layout import STATE_DIRECTORY


def _limits(**settings: Any) -> dict[str, tuple[Any, ...]]:
    job: Any = {**DEFAULTS, **settings}
    return {name: tuple(values) for name, _kind, values in supervisor.scope_limits(job, settings.get("seconds"), 1000)}


def test_limits_of_a_job_as_properties_of_a_scope() -> None:
    limits = _limits(cpus=1.5, seconds=100.0)
    assert limits["MemoryMax"] == (400,)
    assert limits["MemorySwapMax"] == (0,)
    assert limits["CPUWeight"] == (50,)
    assert limits["TasksMax"] == (16384,)
    assert limits["CPUQuotaPerSecUSec"] == (1500000,)
    assert limits["RuntimeMaxUSec"] == (160000000,)
    assert limits["IPAddressDeny"][:8] == (2, 2, 4, 169, 254, 169, 254, 32)


def test_a_job_without_some_limits() -> None:
    limits = _limits(network="none", memory="2K", swap="1K")
    assert not {"CPUQuotaPerSecUSec", "RuntimeMaxUSec", "IPAddressDeny"} & {*limits}
    assert (limits["MemoryMax"], limits["MemorySwapMax"]) == ((2048,), (1024,))


def test_limits_of_a_job_replace_those_of_each_scope(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[scope.Property] = []
    monkeypatch.setattr(scope, "has_scopes", lambda: True)
    monkeypatch.setattr(scope, "_start", lambda unit, settings: started.extend(settings))
    monkeypatch.setattr(scope.os, "urandom", lambda number: b"x")
    monkeypatch.setattr(scope, "_control_groups", lambda: "nspawn-runner-78.scope")
    assert scope.enter_scope("a job", [], [("MemoryMax", "t", (5,))]) == "nspawn-runner-78.scope"
    assert [(name, values) for name, _kind, values in started if name.startswith("MemoryMax")] == [("MemoryMax", (5,))]


def test_users_of_a_container() -> None:
    flags = supervisor.container_flags("a_b", 655360)
    assert flags[-2:] == ["--private-users=655360:65536", "--private-users-ownership=off"]
    assert "--hostname=a-b" in flags
    assert [flag for flag in flags if flag.startswith("--private-users")] == flags[-2:]
    assert supervisor.container_flags("a", None)[-2] == "--private-users=no"


def test_ranges_of_user_ids_are_never_shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bases = iter([524288, 524288, 589824])
    monkeypatch.setattr(uid_range.random, "randrange", lambda *_numbers: next(bases))
    first, lock = uid_range.take_range(str(tmp_path))
    second, other = uid_range.take_range(str(tmp_path))
    assert (first, second) == (524288, 589824)
    uid_range.forget_range(first, str(tmp_path))
    assert (tmp_path / "524288").exists()
    os.close(lock)
    uid_range.forget_range(first, str(tmp_path))
    assert not (tmp_path / "524288").exists()
    os.close(other)


def test_a_range_with_a_user_of_the_host_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bases = iter([524288, 589824])
    monkeypatch.setattr(uid_range.random, "randrange", lambda *_numbers: next(bases))
    monkeypatch.setattr(uid_range, "_is_known", lambda base: base == 524288)
    base, lock = uid_range.take_range(str(tmp_path))
    assert (base, os.listdir(tmp_path)) == (589824, ["589824"])
    os.close(lock)


def test_name_servers_of_a_private_network() -> None:
    text = "# a comment\nnameserver 127.0.0.53\nsearch example.org\n nameserver 10.0.0.1\noptions edns0\n"
    assert network.resolv_conf(text) == "nameserver 169.254.1.1\nsearch example.org\noptions edns0\n"
    assert network.resolv_conf("") == "nameserver 169.254.1.1\n"


def test_a_command_in_a_container_of_its_own() -> None:
    request = {"command": ["a", "b c"], "user": "u", "environment": {"X": "y z"}, "directory": ["/builds"]}
    arguments = stages.arguments(request, "dns")
    assert arguments[:4] == ["--uid=u", "--setenv=X=y z", "--setenv=container=systemd-nspawn", "--"]
    assert arguments[-3:] == ["/builds", "a", "b c"]


@pytest.mark.parametrize("oldest", ["project-1/a", "project-1/b", "project-2/d/c"])
def test_the_least_recently_used_files_of_caches_go(tmp_path: Path, oldest: str) -> None:
    top = tmp_path / STATE_DIRECTORY / ".cache"
    for name in ("project-1/a", "project-1/b", "project-2/d/c"):
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 8192)
        os.utime(path, (5 if name == oldest else 1000, 1))
    (top / "project-2" / "link").symlink_to("/etc/passwd")
    # A link has blocks of its own on some file systems.
    cache.shrink(str(tmp_path), "20K")
    assert [name for name in ("project-1/a", "project-1/b", "project-2/d/c") if not (top / name).exists()] == [oldest]
    cache.shrink(str(tmp_path / "none"), "0")


@pytest.mark.parametrize(("cpus", "gigabytes", "jobs"), [(1, 1, 1), (2, 64, 1), (8, 64, 5), (64, 16, 8)])
def test_a_number_of_jobs_for_a_host(cpus: int, gigabytes: int, jobs: int) -> None:
    assert toml.concurrent(cpus, gigabytes << 30) == jobs


def test_the_section_of_a_runner() -> None:
    text = toml.section('/opt/"a', "/srv/images", "host", 3)
    assert 'prepare_exec = "/opt/\\"a"' in text
    assert 'prepare_args = ["--root", "/srv/images", "prepare"]' in text
    assert 'run_args = ["run"]' in toml.section("/a", "/var/lib/nspawn-runner", "host", 3)


def test_an_option_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NSPAWN_RUNNER_ROOT", "/srv/a")
    assert program.parser().parse_args(["list"]).root == "/srv/a"
    assert program.parser().parse_args(["--root", "/b", "--verbose", "prepare", "--default-image=unstable"]).root == "/b"


def test_the_words_of_a_command_are_no_options(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[Any] = []
    monkeypatch.setattr(people, "_throw_away", lambda root, image, command, *_rest: called.append((image, command)))
    for words in (["--here", "sid", "--", "make", "--root", "-v"], ["sid", "make", "--root", "-v"]):
        # Some versions of Python leave "--" in the command.
        people.execute(program.parser().parse_args(["exec", *words]))
    assert called == [("sid", ["make", "--root", "-v"])] * 2


def test_each_verb_has_a_function() -> None:
    from importlib import import_module

    for verb, place in program._FUNCTIONS.items():
        module, _dot, function = place.partition(".")
        assert callable(getattr(import_module(f"{program.__package__}.{module}"), function)), verb
    assert {verb["name"] for verb in program.PROGRAM["verbs"]} == {*program._FUNCTIONS}


def test_counters_of_a_control_group() -> None:
    assert report._counters("oom 3\noom_kill 2\nx y\n") == {"oom": 3, "oom_kill": 2}
    assert (report._number("12\n"), report._number("max\n"), report._number("")) == (12, None, None)


def test_a_list_of_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(images, "check_root", lambda root: None)
    (tmp_path / "sid" / "etc").mkdir(parents=True)
    (tmp_path / "sid" / "etc" / "os-release").write_text('NAME=x\nPRETTY_NAME="Debian \x1b sid"\n', encoding="utf-8")
    arguments = program.parser().parse_args(["--root", str(tmp_path), "list", "--json"])
    assert report.images(arguments) == 0
    assert json.loads(capsys.readouterr().out)[0]["system"] == "Debian \\x1b sid"
