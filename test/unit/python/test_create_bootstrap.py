# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from module_os import replace_os, replace_os_path

from ansible_collections.nspawn.runner.plugins.module_utils._create import bootstrap, repositories
from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError

SUITE = {"suite": "trixie"}
BASE = ["dbus", "git", "python3", "python3-apt", "systemd"]


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The programs that are installed; a test removes some."""
    programs = ["mmdebstrap", "debootstrap", "eatmydata", "dnf", "gzip", "xz"]
    monkeypatch.setattr(bootstrap, "find_program", lambda name: f"/usr/bin/{name}" if name in programs else None)
    return programs


@pytest.mark.parametrize(
    ("params", "planned"),
    [
        pytest.param(
            SUITE,
            {"bootstrap": "mmdebstrap", "suite": "trixie", "packages": BASE, "components": ["main"]},
            id="a suite: the first tool and its defaults",
        ),
        pytest.param({**SUITE, "bootstrap": ""}, {"bootstrap": "mmdebstrap"}, id="an empty method is none"),
        pytest.param({**SUITE, "packages": ["vim", "git"]}, {"packages": [*BASE, "vim"]}, id="more packages, each once"),
        pytest.param({**SUITE, "components": ["main", "contrib"]}, {"components": ["main", "contrib"]}, id="components"),
        pytest.param({**SUITE, "components": []}, {"components": ["main"]}, id="an empty list of components"),
        pytest.param({**SUITE, "mirror": "http://mirror.example.org/debian"}, {"mirror": "http://mirror.example.org/debian"}, id="a mirror"),
        pytest.param({**SUITE, "mirror": "http://me:key@mirror.example.org"}, {"mirror": "http://mirror.example.org"}, id="a mirror with a login"),
        pytest.param({**SUITE, "mirror": "copy:///srv/mirror"}, {"mirror": "copy:///srv/mirror"}, id="a mirror on the disk"),
        pytest.param({**SUITE, "architecture": "i386", "variant": "buildd"}, {"architecture": "i386", "variant": "buildd"}, id="architecture and variant"),
        pytest.param({**SUITE, "keyring": "/dev/null"}, {"keyring": "/dev/null"}, id="a keyring"),
        pytest.param({"suite": "bookworm/updates"}, {"suite": "bookworm/updates"}, id="a suite with a slash"),
        pytest.param({**SUITE, "packages": ["~ipython3", "?essential"]}, {"packages": [*BASE, "~ipython3", "?essential"]}, id="patterns of apt"),
        pytest.param({"command": ["dnf", "x"]}, {"bootstrap": "command", "command": ["dnf", "x"]}, id="a command"),
        pytest.param({"command": ["{tree}/x"]}, {"bootstrap": "command", "command": ["{tree}/x"]}, id="a program of the tree"),
        pytest.param({"tarball": "/srv/a.tar"}, {"bootstrap": "tarball", "tarball": "/srv/a.tar"}, id="an archive"),
        pytest.param({**SUITE, "command": ["dnf"]}, {"bootstrap": "command"}, id="a command before a suite"),
        pytest.param({"bootstrap": "tarball", "tarball": "/a", "command": ["dnf"]}, {"bootstrap": "tarball"}, id="the method decides between two"),
        pytest.param({**SUITE, "bootstrap": "mmdebstrap", "tarball": "/a"}, {"bootstrap": "mmdebstrap"}, id="a tool by its name"),
    ],
)
def test_plan(programs: list[str], params: dict[str, Any], planned: dict[str, Any]) -> None:
    assert bootstrap.plan(params).items() >= planned.items()


@pytest.mark.parametrize(
    ("params", "words"),
    [
        pytest.param({}, ["suite"], id="no source at all"),
        pytest.param({"bootstrap": "mmdebstrap"}, ["suite"], id="a tool without a suite"),
        pytest.param({"command": ["dnf"], "tarball": "/a"}, ["command", "tarball", "bootstrap"], id="two sources"),
        pytest.param({"bootstrap": "command"}, ["command is empty"], id="no command"),
        pytest.param({"bootstrap": "command", "command": [""]}, ["command is empty"], id="a command without a program"),
        pytest.param({"command": ["zypper", "x"]}, ["'zypper'", "not installed"], id="a program that is missing"),
        pytest.param({"bootstrap": "tarball"}, ["tarball", "archive"], id="no archive"),
        pytest.param({"suite": "-x"}, ["'-x'"], id="a suite that is an option"),
        pytest.param({"suite": "--mode=chrootless"}, ["'--mode=chrootless'"], id="a suite that is a long option"),
        pytest.param({"suite": "a b"}, ["'a b'"], id="a suite with a blank"),
        pytest.param({"suite": "../x"}, ["'../x'"], id="a suite that is a path"),
        pytest.param({"suite": "sid\n"}, ["suite"], id="a suite with a line feed"),
        pytest.param({**SUITE, "mirror": "http://me:a%20b@mirror.example.org"}, ["http://mirror.example.org ", "space"], id="a login that apt cannot read"),
        pytest.param({**SUITE, "mirror": "mirror.example.org"}, ["'mirror.example.org'", "URL"], id="a mirror without a scheme"),
        pytest.param({**SUITE, "mirror": "http://a b"}, ["URL"], id="a mirror with a blank"),
        pytest.param({**SUITE, "mirror": "--hook=x"}, ["URL"], id="a mirror that is an option"),
        pytest.param({**SUITE, "keyring": "/nonexistent/x.gpg"}, ["/nonexistent/x.gpg"], id="a keyring that does not exist"),
        pytest.param({**SUITE, "packages": ["vim nano"]}, ["'vim nano'", "packages"], id="two packages in one word"),
        pytest.param({**SUITE, "packages": ["a,b"]}, ["'a,b'"], id="a comma in a package"),
        pytest.param({**SUITE, "packages": ["--x"]}, ["'--x'"], id="a package that is an option"),
        pytest.param({**SUITE, "packages": [""]}, ["''"], id="an empty package"),
        pytest.param({**SUITE, "architecture": "--x"}, ["'--x'", "architecture"], id="an architecture that is an option"),
        pytest.param({**SUITE, "architecture": "amd64 i386"}, ["'amd64 i386'", "architecture"], id="two architectures in one word"),
        pytest.param({**SUITE, "components": ["main contrib"]}, ["'main contrib'", "components"], id="two components in one word"),
    ],
)
def test_a_plan_that_is_refused(programs: list[str], params: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(RunnerError) as error:
        bootstrap.plan(params)
    assert [word for word in words if word not in str(error.value)] == []


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"suite": "--mode=chrootless"}, "'--mode=chrootless' is not the name of a suite: give a name such as 'trixie'"),
        ({**SUITE, "mirror": "--hook=x"}, "the mirror '--hook=x' is not a URL: give a URL such as https://mirror.example.org/debian"),
        (
            {**SUITE, "keyring": "/nowhere.gpg"},
            "the keyring /nowhere.gpg does not exist: correct the path, or install the package that contains the keyring",
        ),
        ({**SUITE, "architecture": "--x"}, "'--x' in architecture is not one word: give words without spaces and commas"),
        ({"command": ["no-such-program"]}, "the program 'no-such-program' of the create command is not installed: install it"),
    ],
)
def test_the_message_about_a_value(programs: list[str], params: dict[str, Any], message: str) -> None:
    with pytest.raises(RunnerError) as error:
        bootstrap.plan(params)
    assert str(error.value) == message


def test_two_sources_are_named_first(programs: list[str]) -> None:
    with pytest.raises(RunnerError, match=r"^both a command and a tarball are given"):
        bootstrap.plan({"command": ["true"], "tarball": "/x.tar"})


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (None, "mmdebstrap or debootstrap is not installed: run apt install mmdebstrap"),
        ("debootstrap", "debootstrap is not installed: run apt install debootstrap"),
    ],
)
def test_the_message_about_a_missing_tool(programs: list[str], method: str | None, message: str) -> None:
    programs.clear()
    with pytest.raises(RunnerError) as error:
        bootstrap.plan({**SUITE, "bootstrap": method})
    assert str(error.value) == message


def test_without_a_tool_the_first_one_is_to_be_installed(programs: list[str]) -> None:
    programs.clear()
    with pytest.raises(RunnerError) as error:
        bootstrap.plan(SUITE)
    assert "mmdebstrap or debootstrap" in error.value.found
    assert str(error.value).endswith("apt install mmdebstrap")


def test_a_tool_that_is_asked_for_by_name_is_to_be_installed(programs: list[str]) -> None:
    programs.remove("debootstrap")
    with pytest.raises(RunnerError) as error:
        bootstrap.plan({**SUITE, "bootstrap": "debootstrap"})
    assert "mmdebstrap" not in str(error.value)
    assert str(error.value).endswith("apt install debootstrap")


def _scripts(monkeypatch: pytest.MonkeyPatch, *suites: str) -> None:
    """The suites that debootstrap has a script for."""

    def exists(path: str) -> bool:
        directory, name = os.path.split(path)
        return name in suites if directory == "/usr/share/debootstrap/scripts" else os.path.exists(path)

    replace_os_path(monkeypatch, bootstrap, exists=exists)


def test_the_second_tool_makes_the_suites_that_it_knows(monkeypatch: pytest.MonkeyPatch, programs: list[str]) -> None:
    programs.remove("mmdebstrap")
    _scripts(monkeypatch, "trixie")
    assert bootstrap.plan(SUITE)["bootstrap"] == "debootstrap"
    with pytest.raises(RunnerError) as error:
        bootstrap.plan({"suite": "nosuch"})
    assert "'nosuch'" in error.value.found
    assert "debootstrap" in error.value.found
    assert "mmdebstrap" in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "values", "argv"),
    [
        pytest.param(("--x",), {}, ["--x"], id="no placeholder"),
        pytest.param(("--variant={variant}", "{tree}"), {"variant": "minbase", "tree": "/t"}, ["--variant=minbase", "/t"], id="placeholders"),
        pytest.param(("--keyring={keyring}", "{tree}"), {"keyring": None, "tree": "/t"}, ["/t"], id="a value that is not set"),
        pytest.param(("--mirror={mirror}",), {"mirror": ""}, [], id="an empty value"),
        pytest.param(("{a}-{b}",), {"a": "1", "b": "2"}, ["1-2"], id="two placeholders"),
        pytest.param(("{a}-{b}",), {"a": "1", "b": None}, [], id="one of two is not set"),
        pytest.param(("{a}",), {"a": "{b}\\1"}, ["{b}\\1"], id="a value is not filled in itself"),
        pytest.param(('--aptopt=X "10"',), {}, ['--aptopt=X "10"'], id="quotes stay"),
    ],
)
def test_arguments(arguments: tuple[str, ...], values: dict[str, Any], argv: list[str]) -> None:
    assert bootstrap._filled(arguments, values) == argv


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch, programs: list[str]) -> list[tuple[list[str], dict[str, str]]]:
    """The programs that were run, each with the variables that it gets beside those of the caller."""
    commands: list[tuple[list[str], dict[str, str]]] = []

    def run(argv: list[str], log: Any, environment: dict[str, str], stdin: Any = None) -> tuple[int, list[str]]:
        commands.append((argv, environment))
        return 0, []

    monkeypatch.setattr(bootstrap, "_run", run)
    # No archive answers with a suite, so there are no pockets.
    monkeypatch.setattr(repositories, "read_release", lambda *arguments: None)
    monkeypatch.setattr(repositories, "_trusted", list)
    return commands


@pytest.fixture
def tree(tmp_path: Path) -> str:
    (tmp_path / "tree").mkdir()
    return str(tmp_path / "tree")


def _fill(tmp_path: Path, params: dict[str, Any]) -> tuple[str, ...]:
    return bootstrap.fill(f"{tmp_path}/tree", str(tmp_path), params, bootstrap.plan(params), lambda line: None)


def test_a_tool_gets_its_arguments_in_order(tree: str, tmp_path: Path, commands: list[tuple[list[str], dict[str, str]]]) -> None:
    leftovers = _fill(tmp_path, {**SUITE, "suite": "own", "mirror": "http://mirror.example.org", "packages": ["vim"], "components": ["main", "contrib"]})
    argv, environment = commands[0]
    assert argv[0] == "/usr/bin/mmdebstrap"
    assert argv[-3:] == ["own", tree, "deb http://mirror.example.org own main contrib"]
    assert f"--include={','.join([*BASE, 'vim'])}" in argv
    assert "--components=main,contrib" in argv
    assert not [argument for argument in argv if argument.startswith(("--keyring", "--architectures"))]
    assert environment["DEBIAN_FRONTEND"] == "noninteractive"
    assert "usr/sbin/policy-rc.d" in leftovers


@pytest.mark.parametrize(
    ("url", "mirror"),
    [
        pytest.param(None, ("", "", ""), id="no mirror"),
        pytest.param("https://mirror.example.org/debian", ("https://mirror.example.org/debian", "", ""), id="no login"),
        pytest.param("https://me:key@mirror.example.org/debian", ("https://mirror.example.org/debian", "me", "key"), id="a login"),
        pytest.param("https://me:k%2Fe%40y@mirror.example.org:81", ("https://mirror.example.org:81", "me", "k/e@y"), id="an escaped password, and a port"),
        pytest.param("https://me:k@y@mirror.example.org", ("https://mirror.example.org", "me", "k@y"), id="a password that should be escaped"),
        pytest.param("HTTP://me:key@mirror.example.org", ("HTTP://mirror.example.org", "me", "key"), id="capitals"),
        pytest.param("https://me@mirror.example.org", ("https://me@mirror.example.org", "", ""), id="a user alone"),
        pytest.param("https://mirror.example.org/a:b@c", ("https://mirror.example.org/a:b@c", "", ""), id="a path"),
        pytest.param("copy:///srv/a:b@c", ("copy:///srv/a:b@c", "", ""), id="a directory"),
    ],
)
def test_the_login_of_a_mirror(url: str | None, mirror: tuple[str, str, str]) -> None:
    assert repositories.mirror_of({"mirror": url}) == mirror
    assert repositories.without_login({"suite": "sid", "mirror": url}) == {"suite": "sid", "mirror": mirror[0] or url}


@pytest.mark.parametrize(
    ("tool", "lines"),
    [
        ("mmdebstrap", ["machine https://mirror.example.org/debian login me password k%y"]),
        ("debootstrap", ["timeout = 10", "tries = 2", "user = me", "password = k%y"]),
    ],
)
def test_a_password_is_in_no_argument_but_in_files_of_root(
    monkeypatch: pytest.MonkeyPatch, tree: str, tmp_path: Path, commands: list[tuple[list[str], dict[str, str]]], tool: str, lines: list[str]
) -> None:
    replace_os_path(monkeypatch, bootstrap, exists=lambda path: True)
    params = {"suite": "own", "bootstrap": tool, "mirror": "https://me:k%25y@mirror.example.org/debian"}
    bootstrap.fill(tree, str(tmp_path), params, bootstrap.plan(params), print)
    argv, environment = commands[0]
    assert argv[-1].split()[-3:] == (["https://mirror.example.org/debian", "own", "main"] if tool == "mmdebstrap" else argv[-1].split())
    assert not [text for text in [*argv, *environment.values()] if "k%" in text]
    config, login = tmp_path / "config", tmp_path / "tree/etc/apt/auth.conf.d/nspawn-runner.conf"
    assert str(config) in " ".join([*argv, *environment.values()])
    assert config.read_text().splitlines() == lines
    assert login.read_text() == "machine https://mirror.example.org/debian login me password k%y\n"
    assert [path.stat().st_mode & 0o777 for path in (config, login)] == [0o600, 0o600]


def test_programs_of_a_creation_are_confined(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[list[str], dict[str, Any]]] = []
    monkeypatch.setattr(bootstrap, "run", lambda argv, **options: calls.append((argv, options)) or (0, []))
    bootstrap._run(["tar", "--file=-"], print, {"A": "1"}, 7)
    argv, options = calls[0]
    assert argv[: argv.index("unshare")] == bootstrap.guarded([])[: argv.index("unshare")]
    assert argv[-2:] == ["tar", "--file=-"]
    bounding = next(argument for argument in argv if argument.startswith("--bounding-set="))
    assert bounding.startswith("--bounding-set=-all,+")
    assert not {"sys_module", "sys_boot", "sys_time", "sys_rawio", "net_admin", "bpf"} & {*bootstrap.KEPT_CAPABILITIES}
    assert (options["stdin"], options["environment"]) == (7, {"A": "1"})
    assert "http_proxy" in options["inherited"]


@pytest.mark.parametrize("eatmydata", [True, False])
def test_a_tool_runs_under_another_program_where_that_is_installed(
    tree: str, tmp_path: Path, programs: list[str], commands: list[tuple[list[str], dict[str, str]]], eatmydata: bool
) -> None:
    if not eatmydata:
        programs.remove("eatmydata")
    params = {**SUITE, "bootstrap": "debootstrap"}
    bootstrap.fill(tree, str(tmp_path), params, {"bootstrap": "debootstrap", "packages": [], "components": ["main"]}, lambda line: None)
    argv, environment = commands[0]
    assert argv[: 1 + eatmydata] == [*(["/usr/bin/eatmydata"] if eatmydata else []), "/usr/bin/debootstrap"]
    # The tool's configuration is a file that the next run removes.
    assert environment["WGETRC"] == str(tmp_path / "config")
    assert "timeout" in (tmp_path / "config").read_text()


def _three(*arguments: object) -> list[repositories.Repository]:
    places = [("base", "https://x.example.org/a", "trixie"), ("updates", "http://x.example.org/a", "trixie-updates"), ("other", "file:/srv/b", "c")]
    return [repositories.Repository(name, repositories.Mirror(url), suite, ("main",), "/k.gpg") for name, url, suite in places]


def test_a_tool_of_apt_gets_all_repositories(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, commands: list[tuple[list[str], dict[str, str]]]) -> None:
    monkeypatch.setattr(bootstrap, "find_repositories", _three)
    monkeypatch.setattr(bootstrap, "write_sources", lambda tree, found: None)
    monkeypatch.delattr(bootstrap, "upgrade")
    _fill(tmp_path, {**SUITE, "packages": ["vim"]})
    assert commands[0][0][-3:] == [entry.host_line for entry in _three()]


def test_a_tool_of_one_repository_is_followed_by_an_upgrade(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, commands: list[tuple[list[str], dict[str, str]]]
) -> None:
    steps: list[tuple[Any, ...]] = []
    statuses = [0, 100]
    monkeypatch.setattr(bootstrap, "find_repositories", _three)
    monkeypatch.setattr(bootstrap, "write_sources", lambda tree, found: steps.append(("sources", len(commands))))
    monkeypatch.setattr(bootstrap, "upgrade", lambda tree, name, *rest: steps.append((name, rest[2])) or (statuses.pop(0), ["E: Unable to locate package vim"]))
    replace_os_path(monkeypatch, bootstrap, exists=lambda path: True)
    params = {**SUITE, "name": "aa", "bootstrap": "debootstrap", "packages": ["vim"]}
    _fill(tmp_path, params)
    argv = commands[0][0]
    # The first repository may lack the other packages.
    assert f"--include={','.join([*BASE, 'ca-certificates'])}" in argv
    assert argv[-3:] == ["trixie", f"{tmp_path}/tree", "https://x.example.org/a"]
    assert "--keyring=/k.gpg" in argv
    assert steps == [("sources", 1), ("aa", [*BASE, "vim"])]
    with pytest.raises(RunnerError, match=r"^the upgrade in the new tree failed: the suite lacks one of the packages"):
        _fill(tmp_path, params)


def test_a_command_gets_the_tree(tmp_path: Path, commands: list[tuple[list[str], dict[str, str]]]) -> None:
    assert _fill(tmp_path, {"command": ["dnf", "--installroot={tree}", "{tree}{tree}", "{suite}"]}) == ()
    assert commands[0][0] == ["dnf", f"--installroot={tmp_path}/tree", f"{tmp_path}/tree{tmp_path}/tree", "{suite}"]


@pytest.mark.parametrize("params", [SUITE, {"command": ["dnf"]}])
def test_a_proxy_is_for_whatever_makes_the_tree(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, commands: list[tuple[list[str], dict[str, str]]], params: dict[str, Any]
) -> None:
    monkeypatch.setattr(bootstrap, "find_repositories", lambda params, log: [])
    proxy = "http://user:word@proxy.example.org:3128"
    _fill(tmp_path, {**params, "proxy": proxy})
    argv, environment = commands[0]
    assert {environment[name] for name in ("http_proxy", "https_proxy", "HTTPS_PROXY")} == {proxy}
    assert not [word for word in argv if "proxy.example.org" in word]
    assert "proxy" not in bootstrap.without_login({**params, "proxy": proxy})
    assert "proxy" not in bootstrap.plan({**params, "proxy": proxy})


def _failure(tmp_path: Path, *tail: str, status: int = 1) -> str:
    """The message about a tool that failed with these last lines."""
    (tmp_path / ".nspawn-runner/aa").mkdir(parents=True)
    found, remedy = bootstrap._failure("mmdebstrap", status, list(tail), str(tmp_path / ".nspawn-runner/aa/staged"), SUITE)
    return str(RunnerError(found, remedy, tail))


@pytest.mark.parametrize(
    ("line", "word"),
    [
        pytest.param("cp: error writing 'x': No space left on device", "disk is full", id="the disk"),
        pytest.param("E: You don't have enough free space in /var/cache/apt/archives/.", "disk is full", id="apt's own check of the disk"),
        pytest.param("Err:1 http://x Could not resolve 'x'", "mirror does not answer", id="a name"),
        pytest.param("wget: unable to resolve; Temporary failure in name resolution", "mirror does not answer", id="a name, in wget's words"),
        pytest.param("Could not connect to x:80 (127.0.0.1). - connect (111: Connection refused)", "mirror does not answer", id="a connection"),
        pytest.param("E: The repository 'http://x nosuch Release' does not have a Release file.", "'trixie'", id="a suite, in apt's words"),
        pytest.param("E: No such script: /usr/share/debootstrap/scripts/nosuch", "'trixie'", id="a suite, in debootstrap's words"),
        pytest.param("E: Failed getting release file http://x/dists/nosuch/Release", "'trixie'", id="a suite or the mirror"),
        pytest.param("W: GPG error: NO_PUBKEY 0123456789ABCDEF", "keyring", id="a key"),
        pytest.param("E: Release signed by unknown key (key id X)", "keyring", id="a key, in debootstrap's words"),
        pytest.param("E: Unable to correct problems, you have held broken packages.", bootstrap.BROKEN_ARCHIVE_REASON, id="a rolling suite"),
        pytest.param("E: Failed to fetch http://x  Hash Sum mismatch", bootstrap.BROKEN_ARCHIVE_REASON, id="a mirror in the middle of an update"),
        pytest.param("E: Release file for http://x is expired (invalid since 3d)", "clock", id="an old mirror"),
        pytest.param("E: Release file for http://x is not valid yet", "clock", id="a clock that is behind"),
        pytest.param("E: Unable to locate package nosuch", "packages", id="a package"),
        pytest.param("E: Couldn't find these debs: nosuch", "packages", id="a package, in debootstrap's words"),
    ],
)
def test_a_failure_has_a_reason(tmp_path: Path, line: str, word: str) -> None:
    message = _failure(tmp_path, "before", line)
    assert word in message.split("\n")[0]
    assert message.endswith(f"\nbefore\n{line}")


def test_a_full_disk_is_named_by_the_root_directory(tmp_path: Path) -> None:
    assert str(tmp_path) in _failure(tmp_path, "No space left on device").split("\n")[0]


@pytest.mark.parametrize(
    "space",
    [
        pytest.param({"f_bavail": 255, "f_frsize": 4096, "f_files": 100, "f_favail": 100}, id="less than a MiB"),
        pytest.param({"f_bavail": 10**6, "f_frsize": 4096, "f_files": 100, "f_favail": 15}, id="hardly an inode"),
    ],
)
def test_a_full_disk_is_the_reason_whatever_the_program_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, space: dict[str, int]) -> None:
    replace_os(monkeypatch, bootstrap, statvfs=lambda path: SimpleNamespace(**space))
    assert "disk is full" in _failure(tmp_path, "E: Could not connect to x")


def test_a_file_system_without_inodes_is_not_full(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    space = SimpleNamespace(f_bavail=10**6, f_frsize=4096, f_files=0, f_favail=0)
    replace_os(monkeypatch, bootstrap, statvfs=lambda path: space)
    assert "disk is full" not in _failure(tmp_path, "E: x")


@pytest.mark.parametrize(("tail", "ending"), [(["E: odd"], "\nE: odd"), ([], "exit status 42")])
def test_a_failure_without_a_known_reason_has_its_exit_status(tmp_path: Path, tail: list[str], ending: str) -> None:
    message = _failure(tmp_path, *tail, status=42)
    assert "mmdebstrap failed with exit status 42" in message
    assert message.endswith(ending)


CONTENT = b"content of an archive"
SHA256, MD5 = hashlib.sha256(CONTENT).hexdigest(), hashlib.md5(CONTENT).hexdigest()


def _check_sum(tmp_path: Path, checksum: str | None) -> bytes:
    """The bytes that the archive gives after the check."""
    path = tmp_path / "archive.tar"
    path.write_bytes(CONTENT)
    with open(path, "rb", buffering=0) as file:
        bootstrap.check_sum(file, str(path), checksum)
        return file.read()


@pytest.mark.parametrize("checksum", [None, "", f"sha256:{SHA256}", f"sha256:{SHA256.upper()}", f"md5:{MD5}"])
def test_a_checksum_that_is_right_leaves_the_archive_at_its_start(tmp_path: Path, checksum: str | None) -> None:
    assert _check_sum(tmp_path, checksum) == CONTENT


@pytest.mark.parametrize(
    "checksum",
    [
        pytest.param(SHA256, id="no algorithm"),
        pytest.param(f"crc:{SHA256}", id="an unknown algorithm"),
        pytest.param("sha0:12", id="an algorithm that nearly exists"),
        pytest.param(f"shake_128:{SHA256}", id="an algorithm without a fixed length"),
        pytest.param(f"sha256:{SHA256[:-1]}", id="too short"),
        pytest.param(f"sha256:{MD5}", id="the length of another algorithm"),
        pytest.param(f"sha256:{SHA256[:-1]}g", id="a digit that is not hexadecimal"),
        pytest.param("sha256:", id="no sum"),
    ],
)
def test_a_checksum_that_is_no_checksum(tmp_path: Path, checksum: str) -> None:
    with pytest.raises(RunnerError) as error:
        _check_sum(tmp_path, checksum)
    assert f"'{checksum}'" in error.value.found
    assert "sha256" in str(error.value)


def test_a_checksum_that_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(RunnerError) as error:
        _check_sum(tmp_path, f"sha256:{'0' * 64}")
    assert str(tmp_path / "archive.tar") in error.value.found
    assert SHA256 in str(error.value)
    assert "0" * 64 in str(error.value)


@pytest.mark.parametrize(
    ("kind", "word"),
    [("missing", "does not exist"), ("a directory", "is not a regular file"), ("a FIFO", "is not a regular file")],
)
def test_an_archive_that_is_no_file(tmp_path: Path, kind: str, word: str) -> None:
    path = tmp_path / "archive.tar"
    if kind == "a directory":
        path.mkdir()
    elif kind == "a FIFO":
        os.mkfifo(path)
    with pytest.raises(RunnerError) as error:
        bootstrap.check_archive({"tarball": str(path)})
    assert str(path) in error.value.found
    assert word in error.value.found


@pytest.mark.parametrize(
    ("start", "option"),
    [
        pytest.param(b"\x1f\x8b\x08", "--gzip", id="gzip"),
        pytest.param(b"\xfd7zXZ\x00", "--xz", id="xz"),
        pytest.param(b"(\xb5/\xfd", "--zstd", id="zstd"),
        pytest.param(b"etc/", None, id="not compressed"),
        pytest.param(b"", None, id="empty"),
    ],
)
def test_a_compression_is_known_by_the_first_bytes(
    tmp_path: Path, programs: list[str], commands: list[tuple[list[str], dict[str, str]]], start: bytes, option: str | None
) -> None:
    programs.append("zstd")
    (tmp_path / "archive").write_bytes(start)
    _fill(tmp_path, {"tarball": str(tmp_path / "archive")})
    argv = commands[0][0]
    assert [argument for argument in argv if argument in ("--gzip", "--xz", "--zstd")] == ([option] if option else [])
    assert f"--directory={tmp_path}/tree" in argv


def test_a_compression_without_its_program_is_refused(tmp_path: Path, commands: list[tuple[list[str], dict[str, str]]]) -> None:
    (tmp_path / "archive").write_bytes(b"(\xb5/\xfd")
    with pytest.raises(RunnerError) as error:
        _fill(tmp_path, {"tarball": str(tmp_path / "archive")})
    assert str(tmp_path / "archive") in error.value.found
    assert str(error.value).endswith("apt install zstd")
    assert commands == []


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("tar: This does not look like a tar archive", "is not a whole tar archive"),
        ("tar: Unexpected EOF in archive", "is not a whole tar archive"),
        ("tar: x: Cannot open: Input/output error", "cannot be unpacked"),
    ],
)
def test_an_archive_that_cannot_be_unpacked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, commands: list[tuple[list[str], dict[str, str]]], line: str, word: str
) -> None:
    (tmp_path / "archive").write_bytes(b"etc/")
    tree = tmp_path / ".nspawn-runner/aa/staged"
    tree.mkdir(parents=True)
    monkeypatch.setattr(bootstrap, "_run", lambda *arguments: (2, [line]))
    params = {"tarball": str(tmp_path / "archive")}
    with pytest.raises(RunnerError) as error:
        bootstrap.fill(str(tree), str(tmp_path), params, bootstrap.plan(params), lambda text: None)
    assert str(tmp_path / "archive") in error.value.found
    assert word in error.value.found
    assert line in str(error.value)
