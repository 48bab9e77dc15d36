# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from module_os import replace_os

pytest.importorskip("ansible", reason="hosts are those of Ansible's inventory")

from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible import hosts
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.hosts import Image

VARIABLES = {"nspawn_runner_root": "/srv", "nspawn_runner_path": "/srv/aa", "nspawn_runner_playbook": "/etc/aa.yml"}


@pytest.mark.parametrize(
    ("variables", "image"),
    [
        pytest.param(VARIABLES, Image("aa", "/srv", "/srv/aa", "/etc/aa.yml"), id="an image"),
        pytest.param({**VARIABLES, "nspawn_runner_playbook": None}, Image("aa", "/srv", "/srv/aa", ""), id="an image without a playbook"),
        pytest.param({}, None, id="another host"),
        pytest.param({"nspawn_runner_path": "/srv/aa"}, None, id="a host of another plugin with a path"),
        pytest.param({"nspawn_runner_root": "/srv"}, None, id="a host of another plugin with a root"),
    ],
)
def test_image_of_a_host(variables: dict[str, Any], image: Image | None) -> None:
    assert hosts.image_of(SimpleNamespace(name="aa", get_vars=lambda: variables)) == image


@pytest.fixture
def inventory() -> InventoryManager:
    """Two images and a limit to one of them, a group without hosts, and another host."""
    inventory = InventoryManager(DataLoader())
    for group in ("nspawn_runner", "nspawn_runner_unmanaged", "databases"):
        inventory.add_group(group)
    for host, group in (("aa", "nspawn_runner"), ("bb", "nspawn_runner"), ("db1", "databases")):
        inventory.add_host(host, group)
    inventory.subset("aa")
    return inventory


@pytest.mark.parametrize(
    ("pattern", "missing"),
    [
        pytest.param(["aa"], [], id="the image"),
        pytest.param(["all"], [], id="all"),
        pytest.param("bb", [], id="an image that --limit leaves out"),
        pytest.param(["localhost"], [], id="localhost, which no inventory lists"),
        pytest.param(["127.0.0.1"], [], id="localhost by its address"),
        pytest.param(["nspawn_runner_unmanaged"], [], id="a group without hosts"),
        pytest.param(["nspawn_runner_unmanaged[0]"], [], id="the first host of a group without hosts"),
        pytest.param(["nspawn_runner[0:1]"], [], id="a range of a group"),
        pytest.param(["*_unmanaged", "~data.*", "d?1", "[ab]a"], [], id="patterns"),
        pytest.param(["all:!old:&databases"], [], id="an exclusion of a host that does not exist"),
        pytest.param(["aaa"], ["aaa"], id="a misspelt name"),
        pytest.param(["db1,dbb,!aa", "all:&databasse"], ["dbb", "databasse"], id="misspelt parts"),
        pytest.param(["zz*", "~zz.*"], ["zz*", "~zz.*"], id="patterns that match nothing"),
        pytest.param([], [], id="an empty list"),
    ],
)
def test_names_of_a_pattern_that_do_not_exist(inventory: InventoryManager, pattern: Any, missing: list[str]) -> None:
    assert hosts.missing_names(inventory, pattern) == missing


@pytest.mark.parametrize(("name", "nearest"), [("aaa", "aa"), ("nspawn_runer", "nspawn_runner"), ("zzzz", "")])
def test_the_nearest_host_or_group(inventory: InventoryManager, name: str, nearest: str) -> None:
    assert hosts.nearest_host(inventory, name) == nearest


def test_the_host_of_a_task_is_the_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts, "current_process", lambda: SimpleNamespace(_host="aa"))
    assert hosts.current_host() == "aa"


def test_a_worker_without_a_host_is_an_unknown_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts, "current_process", lambda: SimpleNamespace())
    with pytest.raises(RunnerError):
        hosts.current_host()


@pytest.mark.parametrize(
    ("uid", "variables", "words"),
    [
        pytest.param(1000, VARIABLES, ["root"], id="another user than root"),
        pytest.param(0, {}, ["aa", "nspawn.runner.chroots", "-i"], id="a host that is no image"),
    ],
)
def test_an_image_that_cannot_be_changed(monkeypatch: pytest.MonkeyPatch, uid: int, variables: dict[str, Any], words: list[str]) -> None:
    replace_os(monkeypatch, hosts, geteuid=lambda: uid)
    with pytest.raises(RunnerError) as error:
        hosts.image_to_change(SimpleNamespace(name="aa", get_vars=lambda: variables))
    assert [word for word in words if word not in str(error.value)] == []


def test_an_image_that_root_can_change(monkeypatch: pytest.MonkeyPatch) -> None:
    replace_os(monkeypatch, hosts, geteuid=lambda: 0)
    assert hosts.image_to_change(SimpleNamespace(name="aa", get_vars=lambda: VARIABLES)).path == "/srv/aa"


@pytest.mark.parametrize(
    ("groups", "images"),
    [
        ({"all": ["aa", "bb", "cc"], "nspawn_runner": ["aa", "cc"]}, ["cc", "aa"]),
        ({"all": ["aa", "bb", "cc"], "nspawn_runner": []}, []),
        ({"all": ["aa", "bb", "cc"]}, []),
    ],
)
def test_images_of_a_play_are_in_the_order_of_the_play(groups: dict[str, list[str]], images: list[str]) -> None:
    assert hosts.images_of_play({"ansible_play_hosts_all": ["cc", "bb", "aa"], "groups": groups}) == images


class Manager:
    """Ansible's manager of variables: facts outrank the inventory."""

    def __init__(self) -> None:
        self._fact_cache = {"aa": {"nspawn_runner_tarball": "/evil"}, "bb": {}}
        self._nonpersistent_fact_cache = {"aa": {"ansible_connection": "local"}}

    def get_vars(self, host: Any, include_hostvars: bool) -> dict[str, Any]:
        return {"nspawn_runner_tarball": "/a", **self._fact_cache[host.name], **self._nonpersistent_fact_cache[host.name], "all": include_hostvars}


def test_facts_of_a_tree_change_no_variable() -> None:
    assert hosts.variables_without_facts(Manager(), SimpleNamespace(name="aa")) == {"nspawn_runner_tarball": "/a", "all": False}


@pytest.mark.parametrize("cache", ["_fact_cache", "_nonpersistent_fact_cache"])
def test_a_manager_without_a_known_cache_is_an_unknown_version(cache: str) -> None:
    manager = Manager()
    delattr(manager, cache)
    with pytest.raises(RunnerError):
        hosts.variables_without_facts(manager, SimpleNamespace(name="aa"))
