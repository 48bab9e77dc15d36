# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Each check of the host with the answers that it would get on hosts of many kinds.

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from module_os import replace_os, replace_os_path

pytest.importorskip("ansible", reason="the doctor looks at Ansible too")

from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.hosts import Image
from ansible_collections.nspawn.runner.plugins.plugin_utils._doctor import host
from ansible_collections.nspawn.runner.plugins.plugin_utils._doctor.check import OK, PROBLEM, WARNING, Subject

NSPAWN, CHROOT = "nspawn.runner.nspawn", "community.general.chroot"


def _row(rows: Iterable[tuple[str, ...]]) -> tuple[str, str, str]:
    """Result, found and remedy of a check with one line."""
    (row,) = rows
    result, found, remedy = (*row, "")[:3]
    return result, found, remedy


def _subject(connection: str = NSPAWN, **settings: Any) -> Subject:
    image = Image("aa", "/srv", "/srv/aa", "/etc/nspawn-runner/aa.yml")
    return Subject(image, connection, {f"nspawn_runner_{name}": value for name, value in settings.items()})


@pytest.mark.parametrize(("uid", "result", "found"), [(0, OK, "root"), (65534, PROBLEM, "user 65534")])
def test_user(monkeypatch: pytest.MonkeyPatch, uid: int, result: str, found: str) -> None:
    replace_os(monkeypatch, host, geteuid=lambda: uid)
    row = _row(host.user())
    assert row[:2] == (result, found)
    assert ("as root" in row[2]) == (result == PROBLEM)


def _collection(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, requires: str, version: str = "0.1.0") -> None:
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta/runtime.yml").write_text(f"requires_ansible: '{requires}'\n")
    (tmp_path / "MANIFEST.json").write_text(f'{{"collection_info": {{"version": "{version}"}}}}')
    monkeypatch.setattr(host, "COLLECTION", str(tmp_path))


@pytest.mark.parametrize(
    ("ansible", "requires", "result"),
    [
        ("2.14.18", ">=2.14.0", OK),
        ("2.14.0", ">=2.14.0", OK),
        ("2.19.0rc1", ">=2.14.0", OK),
        ("2.9.27", ">=2.14.0", PROBLEM),
        ("2.14.18", ">=99", PROBLEM),
    ],
)
def test_the_version_of_ansible(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ansible: str, requires: str, result: str) -> None:
    _collection(monkeypatch, tmp_path, requires)
    monkeypatch.setattr(host, "ANSIBLE", ansible)
    row = _row(host.ansible())
    assert row[:2] == (result, f"ansible-core {ansible}, nspawn.runner 0.1.0")
    assert row[2].endswith(f"ansible-core {requires}" if result == PROBLEM else "")


@pytest.mark.parametrize(
    ("images", "listed", "result", "found"),
    [
        (0, False, PROBLEM, "lists no images"),
        (0, True, OK, "0 images"),
        (1, True, OK, "1 image"),
        (2, True, OK, "2 images"),
    ],
)
def test_inventory(images: int, listed: bool, result: str, found: str) -> None:
    row = _row(host.inventory([_subject()] * images, listed))
    assert row[:2] == (result, found)
    assert ("-i" in row[2]) == (not listed)


def test_files_that_others_can_write(tmp_path: Path) -> None:
    assert list(host.files([str(tmp_path)])) == [(OK, "only root can write playbooks, inventories and ansible.cfg")]
    tmp_path.chmod(0o777)
    found = f"root runs files of others: users other than root can write to {tmp_path}"
    assert _row(host.files([str(tmp_path)])) == (PROBLEM, found, f"run chmod go-w {tmp_path}")


def _programs(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    monkeypatch.setattr(host, "find_program", lambda name: f"/usr/bin/{name}" if name in names else None)


def _run(monkeypatch: pytest.MonkeyPatch, status: int, *output: str) -> list[list[str]]:
    """Answers for a program; returns the command lines."""
    commands: list[list[str]] = []

    def run(argv: list[str], *arguments: Any, **options: Any) -> tuple[int, list[str]]:
        commands.append(argv)
        return status, list(output)

    monkeypatch.setattr(host, "run", run)
    return commands


@pytest.mark.parametrize(
    ("output", "result", "found", "word"),
    [
        pytest.param(["systemd 248 (248.3-1)"], PROBLEM, "systemd 248", "systemd 249 or later", id="too old"),
        pytest.param(["systemd 249 (249.1)"], OK, "systemd 249", "", id="the first that will do"),
        pytest.param(["systemd 260~rc1 (260)"], OK, "systemd 260", "", id="a later one"),
        pytest.param(["some other program"], PROBLEM, "systemd of unknown version", "systemd 249", id="another program"),
        pytest.param([], PROBLEM, "systemd of unknown version", "systemd 249", id="no output"),
    ],
)
def test_the_version_of_systemd(monkeypatch: pytest.MonkeyPatch, output: list[str], result: str, found: str, word: str) -> None:
    _programs(monkeypatch, "systemd-nspawn")
    _run(monkeypatch, 0, *output)
    row = _row(host.nspawn())
    assert row[:2] == (result, found)
    assert word in row[2]
    assert bool(word) == bool(row[2])


def test_without_systemd_nspawn_its_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    _programs(monkeypatch)
    assert _row(host.nspawn()) == (PROBLEM, "not installed", "run apt install systemd-container")


def _connections(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    monkeypatch.setattr(host.connection_loader, "find_plugin_with_context", lambda name: SimpleNamespace(resolved=name in names, resolved_fqcn=name))


def test_the_connection_plugins_of_all_images(monkeypatch: pytest.MonkeyPatch) -> None:
    _connections(monkeypatch, NSPAWN, CHROOT)
    assert list(host.connection([_subject(), _subject(CHROOT), _subject()])) == [(OK, CHROOT), (OK, NSPAWN)]


def test_a_connection_plugin_that_leads_past_the_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    _connections(monkeypatch, NSPAWN, "local")
    remedy = f"use {NSPAWN} or {CHROOT}"
    assert _row(host.connection([_subject("local")])) == (PROBLEM, "local runs the tasks of images outside of their trees", remedy)


def test_a_connection_plugin_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    _connections(monkeypatch)
    remedy = "run apt install ansible, or ansible-galaxy collection install community.general"
    assert _row(host.connection([_subject(CHROOT)])) == (PROBLEM, f"{CHROOT} is not installed", remedy)


def test_without_images_the_collections_own_connection_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    _connections(monkeypatch, NSPAWN)
    assert _row(host.connection([]))[:2] == (OK, NSPAWN)


@pytest.mark.parametrize("file", ["/etc/ansible/ansible.cfg", None])
def test_facts_that_become_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, file: str | None) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(host.C, "INJECT_FACTS_AS_VARS", True, raising=False)
    monkeypatch.setattr(host.C, "CONFIG_FILE", file)
    result, found, remedy = _row(host.facts())
    assert (result, found) == (WARNING, "in a run in place, a fact from a tree can override a variable of the inventory")
    assert "inject_facts_as_vars = False" in remedy
    assert remedy.endswith(file or f"{tmp_path}/ansible.cfg")


def test_facts_that_stay_facts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host.C, "INJECT_FACTS_AS_VARS", False, raising=False)
    assert _row(host.facts()) == (OK, "cannot override a variable", "")


def test_a_version_of_ansible_without_that_option_keeps_facts_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(host.C, "INJECT_FACTS_AS_VARS", raising=False)
    assert _row(host.facts())[0] == OK


@pytest.mark.parametrize(
    ("programs", "row"),
    [
        (["mmdebstrap", "debootstrap"], (OK, "mmdebstrap (any suite), debootstrap (3 suites, in /usr/share/debootstrap/scripts)", "")),
        (["debootstrap"], (OK, "debootstrap (3 suites, in /usr/share/debootstrap/scripts)", "")),
        ([], (WARNING, "no tool is installed", "run apt install mmdebstrap")),
    ],
)
def test_bootstrap_tools(monkeypatch: pytest.MonkeyPatch, programs: list[str], row: tuple[str, str, str]) -> None:
    _programs(monkeypatch, *programs)
    monkeypatch.setattr(host, "glob", lambda pattern: [pattern.replace("*", name) for name in ("sid", "trixie", "jammy")])
    assert _row(host.tools()) == row


@pytest.mark.parametrize(
    ("ahead", "result"),
    [
        pytest.param(-86400.0, OK, id="installed yesterday"),
        pytest.param(3600.0, OK, id="a clock that is an hour behind"),
        pytest.param(2 * 86400.0, PROBLEM, id="a clock from before the installation"),
    ],
)
def test_clock(monkeypatch: pytest.MonkeyPatch, ahead: float, result: str) -> None:
    now = 1795562071.0
    monkeypatch.setattr(host.time, "time", lambda: now)
    replace_os(monkeypatch, host, stat=lambda path: SimpleNamespace(st_mtime=now + ahead))
    row = _row(host.clock())
    assert row[0] == result
    assert row[1].startswith("2026-11-24 23:14 UTC")
    assert row[2] == ("run timedatectl set-ntp true" if result == PROBLEM else "")


@pytest.mark.parametrize(
    ("output", "result", "found"),
    [
        pytest.param(["started"], OK, "starts", id="a container that starts"),
        pytest.param(["a warning", "started"], OK, "starts", id="a container that starts after a warning"),
        pytest.param(["No namespaces here."], PROBLEM, "none starts: No namespaces here.", id="an error"),
        pytest.param(["a", "b"], PROBLEM, "none starts: a; b", id="two lines"),
        pytest.param([], PROBLEM, "none starts: systemd-nspawn says nothing", id="no output"),
    ],
)
def test_container(monkeypatch: pytest.MonkeyPatch, output: list[str], result: str, found: str) -> None:
    monkeypatch.setattr(host, "_can_start", lambda: True)
    monkeypatch.setattr(host, "_in_container", lambda *arguments: output)
    row = _row(host.container())
    assert row[0] == result
    assert row[1].startswith(found.split(":")[0])
    assert "; ".join(output) in row[1] or result == OK
    assert ("systemd-nspawn --volatile=yes" in row[2]) == (result == PROBLEM)


@pytest.mark.parametrize(
    ("uid", "programs", "expected"),
    [(0, ["systemd-nspawn"], True), (1000, ["systemd-nspawn"], False), (0, [], False)],
)
def test_no_container_is_started_where_another_problem_comes_first(monkeypatch: pytest.MonkeyPatch, uid: int, programs: list[str], expected: bool) -> None:
    replace_os(monkeypatch, host, geteuid=lambda: uid)
    _programs(monkeypatch, *programs)
    monkeypatch.setattr(host, "_in_container", lambda *arguments: ["started"])
    assert [row[0] for row in host.container()] == ([OK] if expected else [])


@pytest.mark.parametrize("resolv_conf", [True, False])
def test_the_doctors_container_cannot_change_the_host(monkeypatch: pytest.MonkeyPatch, resolv_conf: bool) -> None:
    commands = _run(monkeypatch, 0, "started")
    monkeypatch.setattr(host, "guarded", lambda argv: argv)
    replace_os_path(monkeypatch, host, isfile=lambda path: resolv_conf)
    assert host._in_container("script", "a", "b") == ["started"]
    argv = commands[0]
    assert {"--volatile=yes", "--directory=/", "--hostname=doctor"} <= {*argv}
    assert ("--bind-ro=/etc/resolv.conf" in argv) == resolv_conf
    assert argv[-6:] == ["/bin/sh", "-c", "script", "sh", "a", "b"]
    assert not [argument for argument in argv if "{" in argument]


def _resolv_conf(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "resolv.conf"
    if text is not None:
        path.write_text(text)
    monkeypatch.setattr(host, "_RESOLV_CONF", str(path))


@pytest.mark.parametrize(
    ("text", "servers"),
    [
        pytest.param("nameserver 127.0.0.53\n", "127.0.0.53", id="one server"),
        pytest.param("search x\nnameserver 192.0.2.1\n  nameserver\t2001:db8::1 # two\n", "192.0.2.1, 2001:db8::1", id="two servers"),
        pytest.param("", None, id="an empty file"),
        pytest.param("search example.org\n# nameserver 192.0.2.1\n", None, id="a comment"),
        pytest.param("nameserver\n", None, id="no address"),
        pytest.param(None, None, id="no file"),
    ],
)
def test_servers_of_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str | None, servers: str | None) -> None:
    _resolv_conf(monkeypatch, tmp_path, text)
    result, found, remedy = _row(host.dns([]))
    assert (result, found if servers else None) == (OK if servers else WARNING, servers)
    assert servers or str(tmp_path / "resolv.conf") in found
    assert ("nameserver ADDRESS" in remedy) == (servers is None)


@pytest.mark.parametrize(
    ("settings", "hosts"),
    [
        pytest.param({"chroot_suite": "sid", "mirror": "https://mirror.example.org:8080/debian"}, ["mirror.example.org"], id="a mirror"),
        pytest.param({"mirror": "http://127.0.0.1/debian"}, ["127.0.0.1"], id="an address"),
        pytest.param({"mirror": "http://other.example.org/", "network": "none"}, [], id="an image without network"),
        pytest.param({"mirror": "copy:///srv/mirror"}, [], id="a mirror on the disk"),
        pytest.param({"chroot_suite": "sid"}, ["own.example.org"], id="a suite: the host's own archives"),
        pytest.param({"create_command": ["true"]}, [], id="a command"),
        pytest.param({}, [], id="no source"),
    ],
)
def test_archives_of_an_image(monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], hosts: list[str]) -> None:
    monkeypatch.setattr(host, "_apt_archives", lambda: ["own.example.org"])
    assert host._archives(_subject(**settings)) == hosts


def test_an_image_with_a_problem_has_no_archives() -> None:
    assert host._archives(Subject(_subject().image, NSPAWN)) == []


@pytest.mark.parametrize(
    ("programs", "output", "hosts"),
    [
        (["apt-get"], ["http://own.example.org/debian", "https://two.example.org:443/x", "file:/srv"], ["own.example.org", "two.example.org"]),
        (["apt-get"], [], []),
        ([], ["http://own.example.org/debian"], []),
    ],
)
def test_archives_of_the_host(monkeypatch: pytest.MonkeyPatch, programs: list[str], output: list[str], hosts: list[str]) -> None:
    host._apt_archives.cache_clear()
    _programs(monkeypatch, *programs)
    _run(monkeypatch, 0, *output)
    assert host._apt_archives() == hosts
    host._apt_archives.cache_clear()


@pytest.mark.parametrize(
    ("output", "lost"),
    [
        pytest.param(["started", "found a.example.org", "found b.example.org"], [], id="all are found"),
        pytest.param(["started", "found b.example.org"], ["a.example.org"], id="one is not found"),
        pytest.param(["started", "found a.example.org.uk"], ["a.example.org", "b.example.org"], id="a longer name"),
        pytest.param(["No namespaces here."], [], id="no container: that is another line"),
    ],
)
def test_names_that_containers_do_not_find(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, output: list[str], lost: list[str]) -> None:
    _resolv_conf(monkeypatch, tmp_path, "nameserver 127.1.2.3\n")
    monkeypatch.setattr(host, "_can_start", lambda: True)
    monkeypatch.setattr(host, "_in_container", lambda *arguments: output)
    subjects = [_subject(mirror=f"http://{name}.example.org/") for name in "aba"]
    result, found, remedy = _row(host.dns(subjects))
    if not lost:
        assert (result, found, remedy) == (OK, "127.1.2.3", "")
        return
    assert result == WARNING
    assert ", ".join(lost) in found
    assert "127.1.2.3" in found
    assert "resolv.conf" in remedy


def test_without_names_no_container_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: str) -> list[str]:
        raise AssertionError

    monkeypatch.setattr(host, "_can_start", lambda: True)
    monkeypatch.setattr(host, "_in_container", fail)
    assert host._not_found([]) == []
    monkeypatch.setattr(host, "_can_start", lambda: False)
    assert host._not_found(["a.example.org"]) == []


@pytest.mark.parametrize(
    ("filesystems", "programs", "status", "result"),
    [
        pytest.param("nodev\tproc\nnodev\toverlay\n\text4\n", [], 1, OK, id="in the kernel"),
        pytest.param("nodev\tproc\n\text4\n", ["modprobe"], 0, OK, id="a module"),
        pytest.param("nodev\tproc\n\text4\n", ["modprobe"], 1, WARNING, id="no module"),
        pytest.param("nodev\tproc\n\text4\n", [], 0, WARNING, id="no modprobe"),
        pytest.param("nodev\toverlayfs2\n", [], 0, WARNING, id="another name"),
    ],
)
def test_overlay(monkeypatch: pytest.MonkeyPatch, filesystems: str, programs: list[str], status: int, result: str) -> None:
    monkeypatch.setattr(host, "open", lambda *arguments, **options: io.StringIO(filesystems), raising=False)
    _programs(monkeypatch, *programs)
    _run(monkeypatch, status)
    row = _row(host.overlay())
    assert row[0] == result
    assert ("jobs need it" in row[2]) == (result == WARNING)


@pytest.mark.parametrize(("exists", "result", "found"), [(True, OK, "version 2"), (False, WARNING, "version 1")])
def test_cgroups(monkeypatch: pytest.MonkeyPatch, exists: bool, result: str, found: str) -> None:
    replace_os_path(monkeypatch, host, exists=lambda path: exists)
    row = _row(host.cgroups())
    assert row[:2] == (result, found)
    assert ("systemd.unified_cgroup_hierarchy=1" in row[2]) == (result == WARNING)


@pytest.mark.parametrize(
    ("images", "forks", "processors", "result", "found"),
    [
        pytest.param(5, 5, 1, WARNING, "5, on 1 processor: 5 images at once", id="more than four for each processor"),
        pytest.param(4, 5, 1, OK, "5, on 1 processor", id="four for each processor"),
        pytest.param(5, 4, 1, OK, "4, on 1 processor", id="the forks are the limit"),
        pytest.param(100, 50, 8, WARNING, "50, on 8 processors: 50 images at once", id="many forks"),
        pytest.param(0, 100, 1, OK, "100, on 1 processor", id="no images"),
        pytest.param(1, 9, 1, OK, "9, on 1 processor", id="one image"),
    ],
)
def test_forks(monkeypatch: pytest.MonkeyPatch, images: int, forks: int, processors: int, result: str, found: str) -> None:
    replace_os(monkeypatch, host, sched_getaffinity=lambda pid: set(range(processors)))
    row = _row(host.forks(images, forks))
    assert row[:2] == (result, found)
    assert (f"--forks {2 * processors}" in row[2]) == (result == WARNING)
