# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ansible", reason="a maintenance runs ansible-playbook")

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import Busy, RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._image import record
from ansible_collections.nspawn.runner.plugins.module_utils._image.place import Place
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.hosts import Image
from ansible_collections.nspawn.runner.plugins.plugin_utils._maintain import maintenance
from ansible_collections.nspawn.runner.plugins.plugin_utils._maintain.inner_run import Outcome
from ansible_collections.nspawn.runner.plugins.plugin_utils._playbook import variables

SETTINGS = {
    "nspawn_runner_chroot_suite": "sid",
    "nspawn_runner_maint_recreate": False,
    "nspawn_runner_keep_failed": False,
    "nspawn_runner_ignored_paths": [],
    "nspawn_runner_check_tree": True,
    "nspawn_runner_timeout": 60,
    "nspawn_runner_keep_generations": 2,
    "nspawn_runner_keep_days": 7,
}


def _job(root: str | Path = "/nonexistent", create_only: bool = False, check: bool = False, diff: bool = False, **settings: Any) -> maintenance.Job:
    image = Image("aa", str(root), f"{root}/aa", f"{root}/aa.yml")
    return maintenance.Job(image, {**SETTINGS, **settings}, {}, create_only, check, diff)


@pytest.mark.parametrize(
    ("problem", "result", "msg"),
    [
        pytest.param(Busy("/srv/aa is in use", "wait"), "busy", "/srv/aa is in use: wait", id="a tree in use"),
        pytest.param(RunnerError("no tar", "run apt install tar"), "failed", "no tar: run apt install tar", id="an error of the collection"),
        pytest.param(PermissionError(13, "Permission denied", "/srv/x"), "failed", "/srv/x: Permission denied", id="an error of the system"),
        pytest.param(OSError(28, "No space left on device"), "failed", "/nonexistent/.nspawn-runner/aa: No space left", id="an error without a file"),
    ],
)
def test_a_problem_becomes_a_result(monkeypatch: pytest.MonkeyPatch, problem: Exception, result: str, msg: str) -> None:
    def fail(job: maintenance.Job) -> maintenance.Result:
        raise problem

    monkeypatch.setattr(maintenance, "_maintain", fail)
    outcome = maintenance.maintain(_job())
    assert (outcome["failed"], outcome["changed"], outcome["result"]) == (True, False, result)
    assert outcome["msg"].startswith(msg)


def test_a_tree_that_exists_is_not_created(tmp_path: Path) -> None:
    (tmp_path / "aa").mkdir()
    result = maintenance.maintain(_job(tmp_path, create_only=True))
    assert (result["changed"], result["result"]) == (False, "unchanged")
    assert os.listdir(tmp_path) == ["aa"]


@pytest.mark.parametrize(
    ("settings", "create_only", "missing", "created"),
    [
        pytest.param({}, False, True, True, id="a missing tree"),
        pytest.param({}, True, True, True, id="a missing tree, to be created only"),
        pytest.param({}, False, False, False, id="a tree that exists"),
        pytest.param({"nspawn_runner_maint_recreate": True}, False, False, True, id="a tree that is to be made again"),
        pytest.param({"nspawn_runner_maint_recreate": True}, True, False, False, id="creation only makes no tree again"),
    ],
)
def test_when_a_tree_is_made(settings: dict[str, Any], create_only: bool, missing: bool, created: bool) -> None:
    creation = maintenance._creation(_job(create_only=create_only, **settings), missing)
    assert (creation is not None) == created
    if creation:
        assert (creation["name"], creation["root"], creation["suite"], creation["recreate"]) == ("aa", "/nonexistent", "sid", not missing)
        # The module's own defaults are not used.
        assert creation["keyring"] is None


@pytest.mark.parametrize("missing", [True, False])
def test_a_tree_without_a_source_cannot_be_made(missing: bool) -> None:
    job = _job(nspawn_runner_chroot_suite=None, nspawn_runner_maint_recreate=True)
    with pytest.raises(RunnerError) as error:
        maintenance._creation(job, missing)
    names = ("nspawn_runner_chroot_suite", "nspawn_runner_create_command", "nspawn_runner_tarball", "/nonexistent/aa.yml")
    assert [name for name in names if name not in str(error.value)] == []


@pytest.mark.parametrize(
    ("settings", "options"),
    [
        pytest.param({"nspawn_runner_chroot_suite": "sid"}, {"suite": "sid"}, id="a suite"),
        pytest.param({"nspawn_runner_create_command": ["x"], "nspawn_runner_packages": []}, {"command": ["x"], "packages": []}, id="an empty list is a value"),
        pytest.param({"nspawn_runner_tarball": "/a", "nspawn_runner_tarball_checksum": "md5:x"}, {"tarball": "/a", "checksum": "md5:x"}, id="an archive"),
        pytest.param({"nspawn_runner_mirror": None, "nspawn_runner_keep_days": 3}, {}, id="no value, and another variable"),
    ],
)
def test_creation_options_come_from_the_images_variables(settings: dict[str, Any], options: dict[str, Any]) -> None:
    assert variables.creation_options(settings) == options


@pytest.mark.parametrize(
    ("planned", "suite"),
    [({"bootstrap": "mmdebstrap"}, "sid"), ({"bootstrap": "command"}, ""), ({"bootstrap": "tarball"}, "")],
)
def test_a_suite_is_named_where_a_tool_made_the_tree(planned: dict[str, str], suite: str) -> None:
    text = maintenance._suite({"suite": "sid"}, planned)
    assert text.endswith(suite)
    assert bool(text) == bool(suite)


def _hold(days: float) -> dict[str, Any]:
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - days * 86400))
    return {"since": since, "generation": "20261123T231500Z"}


def test_a_held_image_says_since_when_and_how_it_is_released() -> None:
    hold = _hold(12.5)
    result = maintenance._held(_job().image, {"hold": hold}, None)
    assert (result["changed"], result["result"]) == (False, "held")
    for word in (hold["since"], "12 days", "20261123T231500Z", "nspawn.runner.release --limit aa"):
        assert word in result["msg"]


@pytest.mark.parametrize(("limit", "result"), [(None, "held"), (13, "held"), (12, "failed"), (0, "failed")])
def test_a_hold_can_become_a_failure(limit: int | None, result: str) -> None:
    held = maintenance._held(_job().image, {"hold": _hold(12.5)}, limit)
    assert (held["result"], held.get("failed", False)) == (result, result == "failed")
    assert ("nspawn_runner_hold_days" in held["msg"]) == (result == "failed")
    assert "nspawn.runner.release --limit aa" in held["msg"]


def test_a_record_that_a_group_cannot_get_is_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(place: Place, group: int | None) -> None:
        raise RunnerError("/srv-state is a symbolic link", "remove it")

    job = _job(tmp_path, nspawn_runner_state_group="root")
    os.makedirs(job.place.state)
    monkeypatch.setattr(maintenance.record, "share", refuse)
    assert maintenance._share(job, {"result": "published"}) == {
        "result": "published",
        "warnings": ["group root cannot read the record of image aa: /srv-state is a symbolic link: remove it"],
    }


@pytest.mark.parametrize("check", [False, True])
def test_a_held_image_is_recorded(tmp_path: Path, check: bool) -> None:
    place = Place(str(tmp_path), "aa")
    (tmp_path / "aa").mkdir()
    os.makedirs(place.state)
    record.save(place, {"format": 1, "image": "aa", "generations": [], "hold": _hold(1)})
    assert maintenance.maintain(_job(tmp_path, check=check))["result"] == "held"
    run = record.load(place).get("last_run")
    assert run is None if check else (run["result"], "log" in run, "failed_runs" in run) == ("held", False, False)


def test_a_run_that_finds_the_image_locked_is_recorded_beside_the_trees_of_the_other_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place(str(tmp_path), "aa")
    (tmp_path / "aa").mkdir()
    os.makedirs(place.state)
    trees = {"format": 1, "image": "aa", "generations": [{"id": "20261123T231500Z"}]}
    record.save(place, trees)
    monkeypatch.setattr(maintenance.record, "now", lambda: "2026-11-24T08:00:00Z")

    def busy(state: str, purpose: str) -> None:
        raise Busy("image aa is locked", "wait")

    monkeypatch.setattr(maintenance, "image_lock", busy)
    results = [maintenance.maintain(_job(tmp_path)) for _night in range(2)]
    assert [(result["result"], result["failed_runs"], result["since"]) for result in results] == [
        ("busy", 1, "2026-11-24T08:00:00Z"),
        ("busy", 2, "2026-11-24T08:00:00Z"),
    ]
    # The other run saves its trees.
    record.save(place, {**trees, "generations": []})
    content = record.load(place)
    assert (content["generations"], content["last_run"]["result"], content["last_run"]["failed_runs"]) == ([], "busy", 2)


@pytest.mark.parametrize(("diff", "check_keys"), [(False, {"changed", "result", "created", "msg"}), (True, {"changed", "result", "created", "msg", "diff"})])
def test_check_mode_shows_a_creation(monkeypatch: pytest.MonkeyPatch, diff: bool, check_keys: set[str]) -> None:
    shown: list[str] = []
    monkeypatch.setattr(maintenance.chroot, "checked_plan", lambda creation: {"bootstrap": "mmdebstrap", "suite": "sid"})
    monkeypatch.setattr(maintenance.display, "display", lambda line: shown.append(line))
    result = maintenance._planned({"suite": "sid"}, _job(diff=diff), True)
    assert {*result} == check_keys
    assert (result["changed"], result["result"], result["created"]) == (True, "published", True)
    assert shown[0].startswith("aa | ")
    assert "sid" in shown[0]


PACKAGES = [{"name": "a", "to": "1"}, {"name": "b", "from": "1", "to": "2"}]
PUBLISHED = maintenance._Published("20261124T231500Z", PACKAGES, 0, [])


@pytest.mark.parametrize(
    ("facts", "result", "msg"),
    [
        pytest.param(
            {"published": PUBLISHED},
            {"changed": True, "result": "published", "created": False, "generation": "20261124T231500Z", "packages": PACKAGES},
            "2 tasks changed; 1 package added; 1 package upgraded; published as 20261124T231500Z",
            id="a published tree",
        ),
        pytest.param({"changed": False}, {"changed": False, "result": "unchanged"}, "2 tasks changed", id="a tree that is the same"),
        pytest.param({}, {"changed": True, "result": "published"}, "2 tasks changed", id="check mode: nothing is published"),
        pytest.param(
            {"existed": False, "creation": "aa was made by mmdebstrap", "published": PUBLISHED._replace(packages=None)},
            {"created": True, "packages": None},
            "aa was made by mmdebstrap; 2 tasks changed; published as 20261124T231500Z",
            id="a new tree, without a list of packages before",
        ),
        pytest.param(
            {"changed": False, "tasks_changed": 1, "stale": ["nspawn_runner_mirror", "nspawn_runner_packages"]},
            {"creation_changed": ["nspawn_runner_mirror", "nspawn_runner_packages"]},
            "1 task changed; nspawn_runner_mirror and nspawn_runner_packages changed since",
            id="variables of the creation that changed",
        ),
        pytest.param(
            {"published": PUBLISHED._replace(omitted=7)},
            {"packages": PACKAGES, "packages_omitted": 7},
            "2 tasks changed; 1 package added; 1 package upgraded; 7 more packages changed; published as 20261124T231500Z",
            id="more packages than the record lists",
        ),
        pytest.param(
            {"changed": False, "skipped_plays": ["localhost", "db,web"]},
            {"skipped_plays": ["localhost", "db,web"]},
            "2 tasks changed; plays for other hosts were not run: localhost, db,web",
            id="plays for other hosts",
        ),
        pytest.param(
            {"published": PUBLISHED._replace(packages=[], notes=["the next run completes the record"])},
            {"changed": True},
            "2 tasks changed; published as 20261124T231500Z; the next run completes the record",
            id="a record that is to be completed",
        ),
    ],
)
def test_the_facts_of_a_maintenance_become_a_result(facts: dict[str, Any], result: dict[str, Any], msg: str) -> None:
    usual = maintenance._Facts(existed=True, creation="", tasks_changed=2, stale=[], changed=True, published=None, skipped_plays=[])
    described = maintenance._describe(usual._replace(**facts))
    assert described.items() >= result.items()
    assert described["msg"].startswith(msg)
    assert ("generation" in described) == ("published" in facts)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """The results of the steps of a maintenance, which a test can change. The image exists."""
    (tmp_path / "aa").mkdir()
    (tmp_path / "aa.yml").write_text("- hosts: all\n")
    steps: dict[str, Any] = {"tasks_changed": 2, "difference": "etc/x", "before": {"a": "1"}, "after": {"a": "2"}, "published": [], "removed": []}
    steps.update(devices=False, ignored=[], unusable=None, checked=[], job_files=[])

    def check_usable(tree: str, name: str, state: str) -> None:
        steps["checked"].append(tree)
        if steps["unusable"]:
            raise steps["unusable"]

    def publish(place: Place, details: dict[str, Any], tell: Any) -> dict[str, Any]:
        steps["published"].append(details)
        return {"id": "20261124T231500Z"}

    monkeypatch.setattr(maintenance, "check_user_namespace", lambda arguments, tree: None)
    monkeypatch.setattr(maintenance, "write_container_file", lambda state, settings: None)
    monkeypatch.setattr(maintenance, "write_job_file", lambda state, settings: steps["job_files"].append((state, settings["nspawn_runner_timeout"])))
    monkeypatch.setattr(maintenance, "stage_tree", lambda place, log: ("copy", maintenance.Moment(0, 0.0)))
    monkeypatch.setattr(maintenance, "_create", lambda job, creation, existed, log: "created")
    monkeypatch.setattr(maintenance, "remove_devices", lambda tree, log: steps["devices"] and tree.endswith("staged"))
    monkeypatch.setattr(maintenance, "_run_playbook", lambda job, log: Outcome(steps["tasks_changed"], ["localhost"]))
    monkeypatch.setattr(maintenance, "difference", lambda staged, path, copied, ignored: steps["difference"] if ignored == steps["ignored"] else pytest.fail())
    monkeypatch.setattr(maintenance, "remove_tree", lambda path, wait: steps["removed"].append(path))
    monkeypatch.setattr(maintenance, "installed_packages", lambda tree: steps["after" if tree.endswith("staged") else "before"])
    monkeypatch.setattr(maintenance, "publish", publish)
    monkeypatch.setattr(maintenance, "check_usable", check_usable)
    return steps


def _facts(tmp_path: Path, content: dict[str, Any] | None = None, creation: dict[str, Any] | None = None, **job: Any) -> Any:
    return maintenance._on_stage(_job(tmp_path, **job), creation, content or {}, lambda line: None)


def test_a_tree_that_differs_is_published_with_its_details(tmp_path: Path, steps: dict[str, Any]) -> None:
    facts = _facts(tmp_path, {"published": {"creation": {"suite": "sid"}}})
    assert (facts.changed, facts.tasks_changed, facts.stale, facts.published.id) == (True, 2, [], "20261124T231500Z")
    assert facts.skipped_plays == ["localhost"]
    details = steps["published"][0]
    assert details["packages"] == [{"name": "a", "from": "1", "to": "2"}]
    assert details["creation"] == {"suite": "sid"}
    assert (details["playbook"], details["tasks_changed"]) == (f"{tmp_path}/aa.yml", 2)
    assert steps["removed"] == []


def test_a_tree_that_is_the_same_is_removed(tmp_path: Path, steps: dict[str, Any]) -> None:
    steps["difference"] = None
    facts = _facts(tmp_path)
    assert (facts.changed, facts.published, steps["published"]) == (False, None, [])
    assert steps["removed"] == [f"{tmp_path}/.nspawn-runner/aa/staged"]


def test_settings_of_jobs_are_written_also_without_a_publish_but_not_in_check_mode(tmp_path: Path, steps: dict[str, Any]) -> None:
    steps["difference"] = None
    _facts(tmp_path, check=True)
    assert steps["job_files"] == []
    _facts(tmp_path)
    assert [state for state, _timeout in steps["job_files"]] == [f"{tmp_path}/.nspawn-runner/aa"]


def test_a_tree_is_checked_only_when_it_would_be_published(tmp_path: Path, steps: dict[str, Any]) -> None:
    _facts(tmp_path)
    assert steps["checked"] == [f"{tmp_path}/.nspawn-runner/aa/staged"]
    _facts(tmp_path, check=True)
    _facts(tmp_path, nspawn_runner_check_tree=False)
    steps["difference"] = None
    _facts(tmp_path)
    assert len(steps["checked"]) == 1
    _facts(tmp_path, creation={"suite": "sid"})
    assert len(steps["checked"]) == 2


def test_a_tree_in_which_no_shell_starts_is_not_published(tmp_path: Path, steps: dict[str, Any]) -> None:
    steps["unusable"] = RunnerError("no shell", "", ["output of the container"])
    lines: list[Any] = []
    with pytest.raises(maintenance.inner_run.RunError) as error:
        maintenance._on_stage(_job(tmp_path), None, {}, lines.append)
    assert (error.value.found, error.value.tasks_changed, steps["published"]) == ("no shell", 2, [])
    assert "nspawn_runner_check_tree" in error.value.remedy
    assert "output of the container" in lines
    steps["unusable"] = RunnerError("no shell", "use another host")
    with pytest.raises(maintenance.inner_run.RunError) as error:
        _facts(tmp_path)
    assert error.value.remedy == "use another host"


@pytest.mark.parametrize(
    ("published", "staged", "creation", "lost"),
    [
        pytest.param(["sbin/init"], ["sbin/init"], None, True, id="a copy"),
        pytest.param(["sbin/init"], [], {"suite": "sid"}, True, id="a tree that was created again without"),
        pytest.param([], ["sbin/init"], {"suite": "sid"}, True, id="a new tree that had it before the playbook"),
        pytest.param([], [], None, False, id="none had it"),
    ],
)
def test_a_tree_that_lost_its_init_is_not_published(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, steps: dict[str, Any], published: list[str], staged: list[str], creation: Any, lost: bool
) -> None:
    for tree, names in ((tmp_path / "aa", published), (tmp_path / ".nspawn-runner/aa/staged", staged)):
        for name in names:
            (tree / name).parent.mkdir(parents=True)
            (tree / name).touch(0o755)

    def remove(job: maintenance.Job, log: Any) -> Outcome:
        for name in staged:
            Path(job.place.staged, name).unlink(missing_ok=True)
        return Outcome(1, [])

    monkeypatch.setattr(maintenance, "_run_playbook", remove)
    if not lost:
        assert _facts(tmp_path, creation=creation).published
        return
    with pytest.raises(maintenance.inner_run.RunError, match="it has lost its init"):
        _facts(tmp_path, creation=creation)
    assert steps["published"] == []
    assert _facts(tmp_path, creation=creation, nspawn_runner_check_tree=False).published


@pytest.mark.parametrize(("tree_has_id", "check", "left"), [(False, False, ""), (True, False, "staged\n"), (False, True, "staged\n")])
def test_a_machine_id_that_a_package_wrote_is_removed(tmp_path: Path, steps: dict[str, Any], tree_has_id: bool, check: bool, left: str) -> None:
    staged = tmp_path / ".nspawn-runner/aa/staged/etc/machine-id"
    for path, text in ((staged, "staged\n"), (tmp_path / "aa/etc/machine-id", "published\n" if tree_has_id else "")):
        path.parent.mkdir(parents=True)
        path.write_text(text)
    _facts(tmp_path, check=check)
    assert staged.read_text() == left


def test_paths_that_the_image_ignores_are_not_compared(tmp_path: Path, steps: dict[str, Any]) -> None:
    steps.update(difference=None, ignored=["var/lib/app", "srv/stamp"])
    assert not _facts(tmp_path, nspawn_runner_ignored_paths=["/var/lib/app", "/srv/stamp"]).changed


def test_a_tree_that_lost_device_nodes_is_published_wherever_they_were(tmp_path: Path, steps: dict[str, Any]) -> None:
    steps.update(difference=None, devices=True)
    assert _facts(tmp_path).published.id == "20261124T231500Z"


@pytest.mark.parametrize(("tasks_changed", "changed"), [(0, False), (1, True)])
def test_check_mode_publishes_no_tree(tmp_path: Path, steps: dict[str, Any], tasks_changed: int, changed: bool) -> None:
    steps["tasks_changed"] = tasks_changed
    facts = _facts(tmp_path, check=True)
    assert (facts.changed, facts.published, steps["published"]) == (changed, None, [])


def test_a_created_tree_is_published_without_a_comparison(tmp_path: Path, steps: dict[str, Any]) -> None:
    steps.update(difference=None, before=None, tasks_changed=0)
    facts = _facts(tmp_path, creation={"suite": "sid"})
    assert (facts.changed, facts.creation, facts.published.packages) == (True, "created", None)
    assert "packages" not in steps["published"][0]
    assert steps["published"][0]["creation"] == {"suite": "sid"}


def test_the_login_of_a_mirror_is_not_recorded(tmp_path: Path, steps: dict[str, Any]) -> None:
    facts = _facts(tmp_path, creation={"suite": "sid"}, nspawn_runner_mirror="http://me:key@mirror.example.org")
    assert (facts.stale, steps["published"][0]["creation"]["mirror"]) == ([], "http://mirror.example.org")


@pytest.mark.parametrize(
    ("created_by", "stale"),
    [
        pytest.param({"suite": "sid"}, [], id="the same options"),
        pytest.param({"suite": "trixie"}, ["nspawn_runner_chroot_suite"], id="another suite"),
        pytest.param({"suite": "sid", "mirror": "http://x"}, ["nspawn_runner_mirror"], id="an option that is not set any more"),
        pytest.param({"command": ["x"]}, ["nspawn_runner_chroot_suite", "nspawn_runner_create_command"], id="another source"),
        pytest.param(None, [], id="a tree of unknown origin"),
    ],
)
def test_options_that_changed_since_the_creation_are_named(tmp_path: Path, steps: dict[str, Any], created_by: dict[str, Any] | None, stale: list[str]) -> None:
    assert _facts(tmp_path, {"published": {"creation": created_by}}).stale == stale


@pytest.mark.parametrize(
    ("output", "errors"),
    [
        pytest.param([b"x", b"ERROR! no such file", b"/a.yml", b"", b"more"], ["ERROR! no such file", "/a.yml", ""], id="before 2.19"),
        pytest.param([b"[ERROR]: no\x1b[2J", b"Origin: /a", b"c", b"d"], [r"[ERROR]: no\x1b[2J", "Origin: /a", "c"], id="2.19 and later"),
        pytest.param([b"TASK [ERROR!]", b"fatal: [aa]: ERROR! x"], [], id="words in another line"),
    ],
)
def test_errors_of_ansible_are_found_in_the_output(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, output: list[bytes], errors: list[str]) -> None:
    found: list[list[str]] = []
    lines: list[bytes] = []

    def run(argv: list[str], environment: dict[str, str], log: Any) -> int:
        for line in output:
            log(line)
        return 0

    monkeypatch.setattr(maintenance, "refuse_traps", lambda tree: None)
    monkeypatch.setattr(maintenance.inner_run, "inner_argv", lambda image, options: [])
    monkeypatch.setattr(maintenance.inner_run, "run", run)
    monkeypatch.setattr(maintenance.inner_run, "outcome", lambda image, status, result, log, errors: found.append(errors) or Outcome(7, []))
    assert maintenance._run_playbook(_job(tmp_path), lines.append) == Outcome(7, [])
    assert found == [errors]
    assert lines == output


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 tasks changed"), (1, "1 task changed"), (2, "2 tasks changed")],
)
def test_counted(count: int, text: str) -> None:
    assert maintenance._counted(count, "task", "changed") == text


def test_a_playbook_has_a_checksum(tmp_path: Path) -> None:
    (tmp_path / "aa.yml").write_bytes(b"- hosts: all\n")
    assert maintenance._checksum(str(tmp_path / "aa.yml")) == hashlib.sha256(b"- hosts: all\n").hexdigest()


@pytest.mark.parametrize(("packages", "kept"), [(None, False), ([], True), ([{"name": "git", "to": "1"}], True)])
def test_the_last_run_is_remembered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, packages: Any, kept: bool) -> None:
    place = Place(str(tmp_path), "aa")
    os.makedirs(place.state)
    record.save(place, {"format": 1, "image": "aa", "generations": [], "published": {"id": "20261123T231500Z"}})
    result = {"result": "published", "msg": "done", "log": "/last.log", "tasks_changed": 2, "packages": packages, "packages_omitted": 3}
    result["skipped_plays"] = ["localhost"]
    maintenance.record_run(place, "2026-11-24T08:00:00Z", 1.5, result)
    content = record.load(place)
    assert content["published"] == {"id": "20261123T231500Z"}
    run = content["last_run"]
    assert (run["started"], run["seconds"], run["result"], run["tasks_changed"], run["msg"], run["log"]) == (
        *("2026-11-24T08:00:00Z", 1.5, "published", 2),
        *("done", "/last.log"),
    )
    assert ("packages" in run) == kept
    assert run["packages_omitted"] == 3
    assert run["skipped_plays"] == ["localhost"]


@pytest.fixture(autouse=True)
def _memory(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setattr(record, "UNRECORDED", str(tmp_path_factory.mktemp("run") / "unrecorded"))


def test_a_record_that_cannot_be_written_is_kept_in_memory_and_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    place = Place(str(tmp_path), "aa")
    (tmp_path / ".nspawn-runner/aa/state.json").mkdir(parents=True)
    monkeypatch.setattr(maintenance, "make_state", lambda root, image: None)
    result = maintenance.record_run(place, "2026-11-24T08:00:00Z", 1.0, {"failed": True, "result": "failed", "msg": "no space", "log": "/last.log"})
    assert result["msg"].startswith(f"no space; the next run records this, since {place.state}/state.json cannot be read")
    kept = record.unrecorded(place)
    assert kept is not None
    assert (kept["started"], kept["result"], kept["msg"]) == ("2026-11-24T08:00:00Z", "failed", "no space")


def test_a_failure_gets_the_room_of_the_reserve_for_its_line_in_the_log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    place = Place(str(tmp_path), "aa")
    os.makedirs(place.state)
    record.keep_reserve(place)
    append = maintenance.append_to_log
    monkeypatch.setattr(maintenance, "append_to_log", lambda state, line: not os.path.exists(f"{state}/reserve") and append(state, line))
    maintenance._log_failure(place, {"failed": True, "result": "failed", "msg": "no room"})
    assert Path(place.state, "last.log").read_text() == "no room\n"


@pytest.mark.parametrize(("check", "recorded"), [(False, "failed"), (True, None)])
def test_a_failure_before_the_log_is_open_is_recorded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, check: bool, recorded: str | None) -> None:
    def fail(job: maintenance.Job) -> maintenance.Result:
        raise OSError(28, "No space left on device", "/srv/last.log")

    os.makedirs(Place(str(tmp_path), "aa").state)
    monkeypatch.setattr(maintenance, "_maintain", fail)
    monkeypatch.setattr(maintenance, "make_state", lambda root, image: None)
    maintenance.maintain(_job(tmp_path, check=check))
    assert record.load(Place(str(tmp_path), "aa")).get("last_run", {}).get("result") == recorded


def test_a_failure_writes_nothing_into_a_directory_that_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*arguments: Any) -> None:
        raise RunnerError("is a symbolic link")

    place = Place(str(tmp_path), "aa")
    os.makedirs(place.state)
    for name in ("_maintain", "make_state"):
        monkeypatch.setattr(maintenance, name, refuse)
    assert maintenance.maintain(_job(tmp_path))["msg"] == "is a symbolic link"
    assert os.listdir(place.state) == []
    assert (record.unrecorded(place) or {})["msg"] == "is a symbolic link"


def _killed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, status: int, published: str | None = None, check: bool = False) -> tuple[Any, Any, str]:
    """Result, last run and log of an image; `published`: a tree that the killed process was publishing."""
    place = Place(str(tmp_path), "aa")
    os.makedirs(place.state)
    Path(place.state, "last.log").write_text("TASK [x]\n")
    record.save(place, {"format": 1, "image": "aa", "generations": []})

    def recover(place: Place) -> None:
        if published:
            record.save(place, {**record.load(place), "published": {"id": published}})

    monkeypatch.setattr(maintenance, "recover", recover)
    monkeypatch.setattr(maintenance, "make_state", lambda root, image: None)
    result = maintenance.killed(_job(tmp_path, check=check), status, "2026-11-24T08:00:00Z", 7.26)
    return result, record.load(place).get("last_run"), Path(place.state, "last.log").read_text()


@pytest.mark.parametrize(
    ("status", "msg"),
    [
        pytest.param(-9, "was killed by signal 9 (perhaps out of memory): see the kernel's messages", id="SIGKILL"),
        pytest.param(-15, "was killed by signal 15", id="another signal"),
        pytest.param(1, "ended with exit status 1", id="an exit"),
    ],
)
def test_a_killed_maintenance_is_recorded_as_failed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, status: int, msg: str) -> None:
    result, last, log = _killed(monkeypatch, tmp_path, status)
    assert (result["failed"], result["changed"], result["result"]) == (True, False, "failed")
    assert result["msg"].startswith(f"the process that maintained this image {msg}")
    assert log == f"TASK [x]\n{result['msg']}\n"
    assert last == {
        "started": "2026-11-24T08:00:00Z",
        "seconds": 7.3,
        "result": "failed",
        "tasks_changed": 0,
        "msg": result["msg"],
        "log": f"{tmp_path}/.nspawn-runner/aa/last.log",
        "failed_runs": 1,
        "since": "2026-11-24T08:00:00Z",
    }


def test_a_publish_that_was_killed_is_completed_and_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    result, last, _log = _killed(monkeypatch, tmp_path, -9, "20261124T231500Z")
    assert "is published as 20261124T231500Z" in result["msg"] == last["msg"]


def test_a_killed_check_is_no_last_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert _killed(monkeypatch, tmp_path, -9, check=True)[1] is None


def test_a_killed_maintenance_whose_image_another_run_holds_is_still_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def busy(state: str, purpose: str) -> Any:
        raise Busy("image aa is locked by another run", "wait")

    monkeypatch.setattr(maintenance, "image_lock", busy)
    result, last, _log = _killed(monkeypatch, tmp_path, -9)
    assert result["msg"].endswith("the next run removes the rest: image aa is locked by another run: wait")
    assert last is None


def test_after_a_killed_maintenance_a_directory_of_others_is_left_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(root: str, image: str) -> str:
        raise RunnerError("is a symbolic link")

    monkeypatch.setattr(maintenance, "make_state", refuse)
    place = Place(str(tmp_path), "aa")
    os.makedirs(place.state)
    assert "is a symbolic link" in maintenance.killed(_job(tmp_path), -9, "2026-11-24T08:00:00Z", 1.0)["msg"]
    assert os.listdir(place.state) == []


def test_an_image_without_private_state_gets_none(tmp_path: Path) -> None:
    assert maintenance.killed(_job(tmp_path), -9, "2026-11-24T08:00:00Z", 1.0)["failed"]
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("settings", "check", "kept"),
    [
        ({"nspawn_runner_keep_failed": True}, False, True),
        ({"nspawn_runner_keep_failed": True}, True, False),
        ({"nspawn_runner_keep_failed": False}, False, False),
    ],
)
def test_a_failed_tree_is_kept_where_that_is_wanted(monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], check: bool, kept: bool) -> None:
    monkeypatch.setattr(maintenance, "keep_failed", lambda place: place.failed)
    text = maintenance._kept(_job("/srv", check=check, **settings))
    assert ("/srv/.nspawn-runner/aa/failed" in text) == kept
    assert bool(text) == kept


def test_a_failed_tree_that_cannot_be_kept_is_no_second_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(place: Place) -> str:
        raise RunnerError("no room")

    monkeypatch.setattr(maintenance, "keep_failed", fail)
    assert "no room" in maintenance._kept(_job(nspawn_runner_keep_failed=True))


def test_each_option_of_a_creation_has_a_variable() -> None:
    from ansible_collections.nspawn.runner.plugins.module_utils._spec.argument_specs import CHROOT
    from ansible_collections.nspawn.runner.plugins.module_utils._spec.variables import CREATION, VARIABLES

    assert {*CHROOT} - {*CREATION} == {"name", "root", "state", "recreate"}
    assert [variable for variable in CREATION.values() if variable not in VARIABLES] == []
