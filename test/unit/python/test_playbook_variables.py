# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("ansible", reason="variables are templated and converted by Ansible")

from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.hosts import Image
from ansible_collections.nspawn.runner.plugins.plugin_utils._playbook import variables
from ansible_collections.nspawn.runner.plugins.plugin_utils._playbook.playbook import read_playbook

PREFIX = "nspawn_runner_"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("chroot_suite", "trixie"),
        ("variant", "buildd"),
        ("network", "none"),
        ("keep_days", 0),
        ("keep_days", "7"),
        ("seccomp", False),
        ("seccomp", "no"),
        ("packages", ["git", "vim"]),
        ("packages", "git,vim"),
        ("packages", []),
        ("binds", []),
        ("binds", ["/:/mnt"]),
        ("binds", ["/:/mnt:ro"]),
        ("binds", ["/tmp:/a\\:b:ro"]),
        ("proxy", "http://proxy.example.org:3128"),
        ("proxy", "https://user:word@proxy.example.org/"),
        ("binds", ["/usr:/mnt:ro", "/usr/lib:/srv", "/usr/lib:/opt"]),
        ("environment", {}),
        ("environment", {"A": "b c", "_x1": "", "N": 5, "F": 1.5}),
        ("capabilities", ["CAP_NET_ADMIN", "CAP_SYS_PTRACE"]),
        ("ignored_paths", []),
        ("ignored_paths", ["/srv", "/var/lib/my app/..x/[a]"]),
        ("job_disk", "20G"),
        ("job_disk", "16M"),
        ("job_disk", "16384K"),
        ("job_memory", "40%"),
        ("job_memory", "512M"),
        ("job_swap", 0),
        ("job_cache", "0"),
        ("job_cpus", 0.5),
        ("job_cpus", "2"),
        ("job_cpu_weight", 10000),
        ("job_user", "_apt"),
        ("job_user", 1000),
        ("job_network", "private"),
        ("job_binds", ["/tmp:/srv:ro"]),
        ("repositories", []),
        ("repositories", [{"name": "a"}, {"name": "b", "url": "http://mirror.example.org", "suite": None, "components": ["main"], "keyring": "k.gpg"}]),
    ],
)
def test_a_value_that_is_accepted(name: str, value: Any) -> None:
    assert variables._problem(f"{PREFIX}{name}", value) is None


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        pytest.param("variant", "tiny", "must be one of minbase, buildd, not 'tiny'", id="a choice"),
        pytest.param("variant", [], "must be one of minbase, buildd, not []", id="a list for a choice"),
        pytest.param("seccomp", "maybe", "must be true or false, not 'maybe'", id="a truth value"),
        pytest.param("keep_days", "many", "must be a whole number, not 'many'", id="a word for a number"),
        pytest.param("keep_days", 1.5, "must be a whole number, not 1.5", id="half a day"),
        pytest.param("keep_days", -1, "must be 0 or more, not -1", id="a negative number"),
        pytest.param("keep_generations", "-1", "must be 0 or more, not -1", id="a negative number as text"),
        pytest.param("packages", {"a": 1}, "must be a list of strings, not {'a': 1}", id="a mapping for a list"),
        pytest.param("packages", [["a"]], "must be a list of strings, not [['a']]", id="a list in a list"),
        pytest.param("packages", [{"a": 1}], "must be a list of strings, not [{'a': 1}]", id="a mapping in a list"),
        pytest.param("chroot_suite", ["a"], "must be a string, not ['a']", id="a list for a text"),
        pytest.param("mirror", {"a": 1}, "must be a string, not {'a': 1}", id="a mapping for a text"),
        pytest.param("architecture", True, "must be a string, not True: write it in quotes", id="a truth value for a text"),
        pytest.param("chroot_suite", 12.1, "must be a string, not 12.1: write it in quotes", id="a fraction for a text: 12.10 would be another"),
        pytest.param("chroot_suite", date(2026, 1, 2), "must be a string, not datetime.date(2026, 1, 2)", id="a date for a text"),
        pytest.param("tarball", ["/a"], "must be a path, not ['/a']", id="a list for a path"),
        pytest.param("keyring", False, "must be a path, not False", id="a truth value for a path"),
        pytest.param("packages", ["a", True], "must be a list of strings, not ['a', True]", id="a truth value in a list"),
        pytest.param("create_command", ["a", None], "must be a list of strings, not ['a', None]", id="no value in a list"),
        pytest.param("timeout", True, "must be a whole number, not True", id="a truth value for a number"),
        pytest.param("repositories", ["a"], "must be a list of mappings, not ['a']", id="a text for a mapping"),
        pytest.param("repositories", {"name": "a"}, "must be a list of mappings, not {'name': 'a'}", id="a mapping for a list of mappings"),
        pytest.param("repositories", [{"name": "a"}, {"url": "x"}], "element 2 has no name", id="a key that is missing"),
        pytest.param("repositories", [{"name": "a", "urll": 1}], "element 1 has an unknown key urll: use name, url, suite", id="a misspelt key"),
        pytest.param("repositories", [{"name": ["a"]}], "name of element 1 must be a string, not ['a']", id="a list for a string in a mapping"),
        pytest.param("repositories", [{"name": "a", "components": {}}], "components of element 1 must be a list of strings, not {}", id="a list in a mapping"),
        pytest.param("environment", ["a"], "must be a mapping, not ['a']", id="a list for a mapping"),
        pytest.param("packages", {"x" * 100: 1}, "...", id="a long value is cut"),
        pytest.param("proxy", "proxy.example.org:3128", "must be the URL of a proxy, such as", id="a proxy without a scheme"),
        pytest.param("proxy", "http://a\nb", "must be the URL of a proxy, such as", id="a line break in a proxy"),
        pytest.param("binds", ["/"], "'/' would cover the whole tree", id="a bind of all"),
        pytest.param("binds", ["/tmp:/./:ro"], "'/tmp:/./:ro' would cover the whole tree", id="a bind onto the tree"),
        pytest.param("binds", ["srv/x"], "'srv/x' is not SOURCE, SOURCE:TARGET or SOURCE:TARGET:ro with absolute paths", id="a relative source"),
        pytest.param("binds", ["/tmp:mnt"], "'/tmp:mnt' is not SOURCE", id="a relative target"),
        pytest.param("binds", ["+/etc:/mnt"], "'+/etc:/mnt' is not SOURCE", id="a path below the tree, as systemd-nspawn writes it"),
        pytest.param("binds", ["/tmp:/tmp:rw,x"], "'/tmp:/tmp:rw,x' is not SOURCE", id="other mount options"),
        pytest.param("binds", ["/tmp:/a:ro:x"], "'/tmp:/a:ro:x' is not SOURCE", id="four parts"),
        pytest.param("binds", [""], "'' is not SOURCE", id="an empty bind"),
        pytest.param("binds", ["/tmp:"], "'/tmp:' is not SOURCE", id="an empty target"),
        pytest.param("binds", ["/nonexistent/x:/srv"], "'/nonexistent/x' does not exist on this host", id="a source that does not exist"),
        pytest.param("binds", ["/usr/lib:/srv:ro", "/usr:/mnt"], "'/usr/lib:/srv:ro' is beneath '/usr', where a container could put a link", id="nested"),
        pytest.param("binds", ["/tmp:/x\n--bind=/"], "control character", id="a line feed, which would be another argument"),
        pytest.param("environment", {"A B": "c"}, "'A B' is not a name for an environment variable", id="a name with a blank"),
        pytest.param("environment", {"1A": "c"}, "'1A' is not a name", id="a name that begins with a digit"),
        pytest.param("environment", {"A=B": "c"}, "'A=B' is not a name", id="a name with an equals sign"),
        pytest.param("environment", {5: "c"}, "'5' is not a name", id="a name that is a number"),
        pytest.param("environment", {"OPTIND": "x"}, "OPTIND is a variable that a shell sets itself", id="a variable of dash"),
        pytest.param("environment", {"UID": "5"}, "UID is a variable that a shell sets itself", id="a variable of bash"),
        pytest.param("environment", {"A": True}, "the value of A must be a string", id="a truth value in the environment"),
        pytest.param("environment", {"A": None}, "the value of A must be a string", id="no value in the environment"),
        pytest.param("environment", {"A": ["b"]}, "the value of A must be a string", id="a list in the environment"),
        pytest.param("environment", {"A": "b\n--bind=/"}, "the value of A holds a line break", id="a line feed in the environment"),
        pytest.param("environment", {"A": "b\0"}, "the value of A holds a line break", id="a null byte in the environment"),
        pytest.param("capabilities", ["all"], "'all' is not a capability such as CAP_NET_ADMIN", id="systemd-nspawn's word for all"),
        pytest.param("capabilities", ["cap_net_admin"], "'cap_net_admin' is not a capability", id="small letters"),
        pytest.param("capabilities", ["CAP_MKNOD"], "CAP_MKNOD is never given", id="device nodes"),
        pytest.param("job_disk", "0", "must be a size in bytes with a unit of 1024, such as 512M or 2G, not '0'", id="no disk at all"),
        pytest.param("job_disk", 20, "must be a size in bytes with a unit of 1024", id="a size without a unit"),
        pytest.param("job_disk", "2G\n", "must be a size in bytes", id="a line feed behind a size"),
        pytest.param("job_disk", "15M", "must be 16M or more, not 15M", id="a disk without room"),
        pytest.param("job_disk", "16383K", "must be 16M or more, not 16383K", id="a disk without room, in K"),
        pytest.param("job_memory", "101%", "or a part of the host's memory such as 40%, not '101%'", id="more memory than there is"),
        pytest.param("job_swap", "some", "must be a size such as 512M or 2G, or 0 for none, not 'some'", id="a word for a size"),
        pytest.param("job_cpus", 0, "must be 0.01 or more", id="no processor"),
        pytest.param("job_cpus", float("nan"), "must be 0.01 or more", id="no number"),
        pytest.param("job_cpus", True, "must be a number, not True", id="a truth value for a fraction"),
        pytest.param("job_cpus", "two", "must be a number, not 'two'", id="a word for a fraction"),
        pytest.param("job_cpu_weight", 10001, "must be 10000 or less, not 10001", id="a weight above systemd's"),
        pytest.param("job_pids", 1, "must be 16 or more, not 1", id="no process beside the shell"),
        pytest.param("job_user", "root:x", "must be a name of a user such as build, or a number", id="a user that is none"),
        pytest.param("job_storage", "disk", "must be one of overlay, tmpfs, snapshot", id="an unknown place"),
        pytest.param("job_binds", ["/nonexistent/x"], "does not exist on this host", id="a bind of jobs without a source"),
        pytest.param("job_environment", {"A": "b\nc"}, "holds a line break", id="a line feed in the environment of jobs"),
        pytest.param("job_capabilities", ["CAP_MKNOD"], "CAP_MKNOD is never given", id="device nodes for jobs"),
        pytest.param("ignored_paths", ["srv/x"], "'srv/x' is not an absolute path in the image", id="a relative ignored path"),
        pytest.param("ignored_paths", ["/srv/../etc"], "'/srv/../etc' is not an absolute path", id="an ignored path with .."),
        pytest.param("ignored_paths", ["/srv/"], "without a / at its end", id="an ignored path with a slash at its end"),
        pytest.param("ignored_paths", ["//srv"], "'//srv' is not an absolute path", id="an ignored path with two slashes"),
        pytest.param("ignored_paths", ["/"], "'/' is the whole tree", id="all paths ignored"),
        pytest.param("ignored_paths", ["/home/*/x"], "'/home/*/x' is a pattern", id="an ignored pattern"),
        pytest.param("ignored_paths", ["/srv/\0"], "control character", id="an ignored path with a null byte"),
        pytest.param("ignored_paths", [["/srv"]], "must be a list of strings", id="a list of ignored lists"),
    ],
)
def test_a_value_that_is_refused(name: str, value: Any, problem: str) -> None:
    assert problem in str(variables._problem(f"{PREFIX}{name}", value))


def test_a_long_value_is_shown_in_part() -> None:
    assert len(str(variables._problem(f"{PREFIX}packages", {"x" * 1000: 1}))) < 200


def _host(**variables: Any) -> Any:
    return SimpleNamespace(get_vars=lambda: variables)


IMAGE = Image("aa", "/srv/images", "/srv/images/aa", "/etc/nspawn-runner/aa.yml")


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"nspawn_runner_chroot_suite": "sid", "other": 1},
        {"nspawn_runner_path": "/srv/images/aa"},
        {"nspawner": 1},
    ],
)
def test_names_that_are_accepted(given: dict[str, Any]) -> None:
    variables.check_names(IMAGE, _host(nspawn_runner_path="/srv/images/aa"), given)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        pytest.param({"nspawn_runner_path": "/etc"}, ["nspawn_runner_path", "set by the collection"], id="another path"),
        pytest.param({"nspawn_runner_tree": "/etc"}, ["nspawn_runner_tree", "set by the collection"], id="a variable that no host has"),
        pytest.param({"nspawn_runner_mirorr": "x"}, ["nspawn_runner_mirorr", "aa", "nspawn_runner_mirror"], id="a misspelt one with the nearest name"),
        pytest.param({"nspawn_runner_qqqq": "x"}, ["nspawn_runner_qqqq"], id="an unknown one"),
    ],
)
def test_names_that_are_refused(given: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(RunnerError) as error:
        variables.check_names(IMAGE, _host(nspawn_runner_path="/srv/images/aa"), given)
    assert [word for word in words if word not in str(error.value)] == []


def _settings(tmp_path: Path, *lines: str, extra: dict[str, Any] | None = None, more: dict[str, Any] | None = None) -> dict[str, Any]:
    """Settings of an image whose playbook has these variables, which the inventory plugin read."""
    path = tmp_path / "aa.yml"
    path.write_text("".join(f"{line}\n" for line in ("- hosts: all", "  vars:", *(f"    {line}" for line in (*lines, f"{PREFIX}keep_failed: true")))))
    loader = DataLoader()
    loader.set_basedir(str(tmp_path))
    playbook = read_playbook(str(path), loader, True, print)
    assert playbook is not None
    assert playbook.error is None
    image = Image("aa", "/srv/images", "/srv/images/aa", str(path))
    return variables.read_settings(image, {**playbook.variables, **(more or {}), **(extra or {})}, extra or {}, "/srv/staged", loader)


def test_each_setting_has_a_default(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    assert settings["nspawn_runner_keep_generations"] == 2
    assert settings["nspawn_runner_components"] == ["main"]
    assert settings["nspawn_runner_seccomp"] is True
    assert settings["nspawn_runner_keep_failed"] is True
    assert settings.get("nspawn_runner_chroot_suite") is None


@pytest.mark.parametrize(
    ("lines", "name", "value"),
    [
        pytest.param(["base: trix", 'nspawn_runner_chroot_suite: "{{ base }}ie"'], "chroot_suite", "trixie", id="a variable of the play"),
        pytest.param(["nspawn_runner_keep_days: '{{ 3 + 4 }}'"], "keep_days", 7, id="a number"),
        pytest.param(["base: [git]", "nspawn_runner_packages: '{{ base + [\"vim\"] }}'"], "packages", ["git", "vim"], id="a list"),
        pytest.param(["nspawn_runner_create_command: [x, '{{ nspawn_runner_tree }}']"], "create_command", ["x", "/srv/staged"], id="the tree"),
        pytest.param(["nspawn_runner_mirror: '{{ playbook_dir }}/m'"], "mirror", "DIR/m", id="the playbook's directory"),
        pytest.param(["nspawn_runner_mirror: '{{ place }}'"], "mirror", "group", id="a variable of group_vars"),
        pytest.param(["nspawn_runner_mirror: '{{ given }}'"], "mirror", "extra", id="a variable of the command line"),
        pytest.param(["given: play", "nspawn_runner_mirror: '{{ given }}'"], "mirror", "extra", id="the command line before the play"),
        pytest.param(["nspawn_runner_tarball: a.tar"], "tarball", "DIR/a.tar", id="a path is relative to the playbook"),
        pytest.param(["nspawn_runner_keyring: /a.gpg"], "keyring", "/a.gpg", id="an absolute path"),
        pytest.param(["nspawn_runner_mirror:"], "mirror", None, id="no value"),
        pytest.param(["nspawn_runner_seccomp: 'no'"], "seccomp", False, id="a truth value as text"),
    ],
)
def test_a_setting_can_be_a_template(tmp_path: Path, lines: list[str], name: str, value: Any) -> None:
    settings = _settings(tmp_path, *lines, extra={"given": "extra"}, more={"place": "group"})
    expected = value.replace("DIR", str(tmp_path)) if isinstance(value, str) else value
    assert settings.get(f"{PREFIX}{name}") == expected


CIRCLE = "the value contains itself, or its templates name each other in a circle"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        pytest.param("nspawn_runner_mirror: '{{ 1 / 0 }}'", ["nspawn_runner_mirror", "aa.yml:3", "cannot be rendered: ", "zero"], id="a division by zero"),
        pytest.param("nspawn_runner_mirror: '{{ nspawn_runner_mirror }}'", ["nspawn_runner_mirror in ", "aa.yml:3", CIRCLE], id="a template of itself"),
        pytest.param("nspawn_runner_packages: ['{{ nspawn_runner_packages }}']", ["nspawn_runner_packages", "aa.yml:3", CIRCLE], id="a list of itself"),
        pytest.param(
            "{one: '{{ two }}', two: '{{ three }}', three: '{{ one }}', nspawn_runner_mirror: 'x{{ one }}'}"[1:-1].replace(", ", "\n    "),
            ["nspawn_runner_mirror in ", "aa.yml:6", CIRCLE],
            id="variables that name each other",
        ),
        pytest.param("nspawn_runner_mirror: \"{{ 'x' * 5000 | int | mandatory(1, 2) }}\"", ["nspawn_runner_mirror", "aa.yml:3"], id="a filter with a mistake"),
        pytest.param(
            "nspawn_runner_tarball_checksum: 'sha256:00'",
            ["nspawn_runner_tarball_checksum in ", "aa.yml:3 is set, and nspawn_runner_tarball is not: set nspawn_runner_tarball"],
            id="a checksum of nothing",
        ),
        pytest.param(
            "nspawn_runner_job_disk: 2G\n    nspawn_runner_job_storage: snapshot",
            ["nspawn_runner_job_disk in ", "aa.yml:3 is set, and a snapshot", "nspawn_runner_job_storage: overlay"],
            id="a limit of a snapshot",
        ),
        pytest.param("nspawn_runner_mirror: '{{ nowhere }}'", ["nspawn_runner_mirror", "aa.yml", "nowhere"], id="an undefined variable"),
        pytest.param("nspawn_runner_mirror: '{{ }'", ["nspawn_runner_mirror"], id="a template with a mistake"),
        pytest.param("nspawn_runner_variant: tiny", ["nspawn_runner_variant", "aa.yml:3", "must be one of"], id="a wrong value, with its line"),
        pytest.param("nspawn_runner_network: '{{ [1] }}'", ["nspawn_runner_network", "must be one of"], id="a template that gives a wrong value"),
        pytest.param("nspawn_runner_state_group: no-such-group", ["nspawn_runner_state_group", "aa.yml:3", "no group 'no-such-group'"], id="an unknown group"),
        pytest.param("nspawn_runner_keep_days: -1", ["nspawn_runner_keep_days", "aa", "must be 0 or more"], id="a number too low"),
    ],
)
def test_a_setting_that_is_refused(tmp_path: Path, line: str, words: list[str]) -> None:
    with pytest.raises(RunnerError) as error:
        _settings(tmp_path, line)
    assert [word for word in words if word not in str(error.value)] == []
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 600


def test_a_value_that_contains_itself_is_refused(tmp_path: Path) -> None:
    # group_vars with an anchor: the playbook reader refuses such a value itself.
    value: list[Any] = ["{{ 1 }}"]
    value.append(value)
    with pytest.raises(RunnerError, match=CIRCLE):
        _settings(tmp_path, more={"nspawn_runner_packages": value})


@pytest.mark.parametrize(("name", "value"), [("chroot_suite", 42), ("chroot_suite", "12.10"), ("packages", ["a", 5]), ("packages", "git,make")])
def test_a_whole_number_is_a_text(name: str, value: Any) -> None:
    assert variables._problem(f"{PREFIX}{name}", value) is None


def test_a_path_in_a_list_of_mappings_is_relative_to_the_playbook() -> None:
    values = {f"{PREFIX}repositories": [{"name": "a", "keyring": "k.gpg"}, {"name": "b", "keyring": "/k.gpg"}, {"name": "c"}], f"{PREFIX}tarball": "a.tar"}
    absolute = variables._absolute(values, {name: variables.VARIABLES[name] for name in values}, "/etc/x")
    assert [entry.get("keyring") for entry in absolute[f"{PREFIX}repositories"]] == ["/etc/x/k.gpg", "/k.gpg", None]
    assert absolute[f"{PREFIX}tarball"] == "/etc/x/a.tar"


def test_a_wrong_value_of_the_command_line_names_the_image(tmp_path: Path) -> None:
    with pytest.raises(RunnerError) as error:
        _settings(tmp_path, extra={"nspawn_runner_network": "nonsense"})
    assert "aa" in str(error.value)
    assert "must be one of host, none, not 'nonsense'" in str(error.value)


@pytest.mark.parametrize("content", ["", "text\n", "- text\n", "- hosts: all\n  vars: [a]\n"])
def test_a_playbook_without_variables_gives_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "aa.yml").write_text(content)
    assert variables._play_vars(str(tmp_path / "aa.yml"), DataLoader()) == {}


@pytest.mark.parametrize(
    ("problem", "reason", "remedy"),
    [
        pytest.param(ZeroDivisionError("division by zero"), "division by zero", "", id="an expression, before ansible-core 2.19"),
        pytest.param(AnsibleError("no vault secrets found."), "no vault secrets found", variables.VAULT_REMEDY, id="a secret without a password"),
    ],
)
def test_a_value_that_cannot_be_rendered(problem: Exception, reason: str, remedy: str) -> None:
    class Failing:
        def template(self, value: Any) -> Any:
            raise problem

    with pytest.raises(RunnerError) as error:
        variables._templated(Failing(), IMAGE, "nspawn_runner_packages", "{{ 1 / 0 }}")
    assert (error.value.found, error.value.remedy) == (f"nspawn_runner_packages of image aa ({IMAGE.playbook}) cannot be rendered: {reason}", remedy)
