# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from module_os import replace_os_path

from ansible_collections.nspawn.runner.plugins.module_utils._create import repositories
from ansible_collections.nspawn.runner.plugins.module_utils._create.release import NoAnswer
from ansible_collections.nspawn.runner.plugins.module_utils._create.repositories import Mirror, Repository
from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._spec.distributions import DISTRIBUTIONS, POCKETS

DEBIAN, UBUNTU = (next(row for row in DISTRIBUTIONS if row["name"] == name) for name in ("debian", "ubuntu"))
UBUNTU_SECURITY = next(row["mirror"] for row in POCKETS if (row["distribution"], row["name"]) == ("ubuntu", "security"))
# Of apt on this host.
OWN, SECURITY = "http://apt.example.org/debian", "http://apt.example.org/debian-security"
APT = (("http://ppa.example.org/", "Other", "trixie"), (OWN, "Debian", "bookworm"), (OWN, "Debian", "bookworm-updates"), (SECURITY, "", "bookworm-security"))
MIRROR = "http://mirror.example.org/debian"
LONG_AGO, EVER = "Sat, 01 Jan 2000 00:00:00 UTC", "Fri, 01 Jan 2100 00:00:00 UTC"
TRIXIE: dict[str, Any] = {"suite": "trixie", "architecture": "amd64"}


@pytest.fixture
def archives(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], Any]:
    """URL and suite to the origin, the fields or the fault of an archive. An archive that is not named here has no suite."""
    known: dict[tuple[str, str], Any] = {}

    def read(url: str, suite: str, user: str, password: str, proxy: str) -> dict[str, str] | None:
        found = known.get((url.rstrip("/"), suite))
        if isinstance(found, Exception):
            raise found
        return {"Origin": found} if isinstance(found, str) else found

    monkeypatch.setattr(repositories, "read_release", read)
    monkeypatch.setattr(repositories, "_apt_sources", lambda: APT)
    monkeypatch.setattr(repositories, "_trusted", list)
    monkeypatch.setattr(repositories, "_keyring", lambda params, row: params.get("keyring") or (row["keyring"] if row else ""))
    return known


def _found(params: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(one.name, one.url, one.suite) for one in repositories.find_repositories(params, lambda line: None)]


def test_a_suite_has_its_updates_and_its_security_updates(archives: dict[tuple[str, str], Any]) -> None:
    archives.update({(OWN, "trixie"): "Debian", (OWN, "trixie-updates"): "Debian", (SECURITY, "trixie-security"): "Debian"})
    assert _found(TRIXIE) == [("base", OWN, "trixie"), ("updates", OWN, "trixie-updates"), ("security", SECURITY, "trixie-security")]


def test_without_an_archive_of_apt_the_tool_has_the_choice(monkeypatch: pytest.MonkeyPatch, archives: dict[tuple[str, str], Any]) -> None:
    monkeypatch.setattr(repositories, "_apt_sources", lambda: APT[:1])
    assert _found(TRIXIE) == []
    archives.update({(MIRROR, "trixie"): "Debian", (f"{MIRROR}-security", "trixie-security"): "Debian"})
    assert _found({**TRIXIE, "mirror": MIRROR})[1:] == [("security", f"{MIRROR}-security", "trixie-security")]


@pytest.mark.parametrize(
    ("script", "sources"),
    [
        (
            "printf '%s\\n' 'http://a/x|Debian|sid' 'cdrom:x|Debian|sid' 'http://a/y||sid-security' broken",
            (("http://a/x", "Debian", "sid"), ("http://a/y", "", "sid-security")),
        ),
        ("exit 100", ()),
        (None, ()),
    ],
)
def test_sources_of_apt(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str | None, sources: tuple[Any, ...]) -> None:
    program = tmp_path / "apt-get"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(repositories, "find_program", lambda name: str(program) if script else None)
    repositories._apt_sources.cache_clear()
    try:
        assert repositories._apt_sources() == sources
    finally:
        repositories._apt_sources.cache_clear()


def test_ubuntu_has_an_own_place_for_security_updates(archives: dict[tuple[str, str], Any]) -> None:
    own = UBUNTU["mirror"]
    archives.update(
        {(own, "noble"): "Ubuntu", (own, "noble-updates"): "Ubuntu", (own, "noble-security"): "Ubuntu", (UBUNTU_SECURITY, "noble-security"): "Ubuntu"}
    )
    assert _found({**TRIXIE, "suite": "noble"})[2] == ("security", UBUNTU_SECURITY, "noble-security")
    # A mirror of Ubuntu has all pockets in one place.
    mirror = "http://mirror.example.org/ubuntu"
    archives.update({(mirror, "noble"): "Ubuntu", (mirror, "noble-security"): "Ubuntu"})
    assert _found({**TRIXIE, "suite": "noble", "mirror": mirror}) == [("base", mirror, "noble"), ("security", mirror, "noble-security")]


@pytest.mark.parametrize("architecture", ["arm64", "riscv64"])
def test_other_architectures_of_ubuntu_have_another_archive(archives: dict[tuple[str, str], Any], architecture: str) -> None:
    assert "ports" in _found({"suite": "noble", "architecture": architecture})[0][1]


@pytest.mark.parametrize("suite", ["sid", "unstable", "experimental"])
def test_a_suite_that_has_no_pockets_is_not_asked_for_them(archives: dict[tuple[str, str], Any], suite: str) -> None:
    archives[OWN, suite] = "Debian"
    archives.update(dict.fromkeys([(OWN, f"{suite}-updates"), (SECURITY, f"{suite}-security")], AssertionError("asked")))
    assert _found({**TRIXIE, "suite": suite}) == [("base", OWN, suite)]


def test_an_archived_suite_has_no_pockets(archives: dict[tuple[str, str], Any]) -> None:
    archives[OWN, "bullseye"] = "Debian"
    assert _found({**TRIXIE, "suite": "bullseye"}) == [("base", OWN, "bullseye")]
    archives[MIRROR, "buster"] = "Debian"
    assert _found({**TRIXIE, "suite": "buster", "mirror": MIRROR}) == [("base", MIRROR, "buster")]


@pytest.mark.parametrize(
    ("beside", "url"),
    [
        pytest.param("Debian", f"{MIRROR}-security", id="the mirror has them"),
        pytest.param(None, SECURITY, id="the mirror has none"),
        pytest.param("Raspbian", SECURITY, id="another archive is there"),
        pytest.param(NoAnswer("silence"), SECURITY, id="no answer from there"),
        pytest.param({"Origin": "Debian", "Valid-Until": LONG_AGO}, SECURITY, id="the mirror is out of date"),
        pytest.param({"Origin": "Debian", "Valid-Until": EVER}, f"{MIRROR}-security", id="the mirror is up to date"),
    ],
)
def test_security_updates_come_from_the_mirror_if_it_has_them(archives: dict[tuple[str, str], Any], beside: Any, url: str) -> None:
    archives.update({(MIRROR, "trixie"): "Debian", (f"{MIRROR}-security", "trixie-security"): beside, (SECURITY, "trixie-security"): "Debian"})
    assert _found({**TRIXIE, "mirror": f"{MIRROR}/"})[1:] == [("security", url, "trixie-security")]


def test_a_mirror_signed_by_another_key_still_has_the_security_updates_of_the_distribution(archives: dict[tuple[str, str], Any]) -> None:
    archives.update({(MIRROR, "trixie"): "Debian", (SECURITY, "trixie-security"): "Debian"})
    found = repositories.find_repositories({**TRIXIE, "mirror": MIRROR, "keyring": "/etc/keys/own.gpg"}, lambda line: None)
    assert [(one.name, one.keyring) for one in found] == [("base", "/etc/keys/own.gpg"), ("security", DEBIAN["keyring"])]


def test_security_updates_are_never_left_out_for_a_fault_of_the_network(archives: dict[tuple[str, str], Any]) -> None:
    archives.update({(MIRROR, "trixie"): "Debian", (SECURITY, "trixie-security"): NoAnswer("connection refused")})
    with pytest.raises(RunnerError) as error:
        _found({**TRIXIE, "mirror": MIRROR})
    assert error.value.found == f"the security pocket trixie-security of {SECURITY} does not answer: connection refused"
    assert "nspawn_runner_repositories" in error.value.remedy


def test_a_mirror_that_does_not_answer_is_left_to_the_tool_with_all_pockets(archives: dict[tuple[str, str], Any]) -> None:
    archives[MIRROR, "trixie"] = NoAnswer("no route")
    assert _found({**TRIXIE, "mirror": MIRROR}) == [
        ("base", MIRROR, "trixie"),
        ("updates", MIRROR, "trixie-updates"),
        ("security", SECURITY, "trixie-security"),
    ]
    assert _found({**TRIXIE, "suite": "own", "mirror": MIRROR.replace("mirror.", "mirror2.")}) == [("base", "http://mirror2.example.org/debian", "own")]


@pytest.mark.parametrize("origin", ["Raspbian", ""])
def test_another_archive_with_the_name_of_a_suite_gets_no_packages_of_debian(archives: dict[tuple[str, str], Any], origin: str) -> None:
    archives.update({(MIRROR, "trixie"): origin, (MIRROR, "trixie-updates"): "Debian", (SECURITY, "trixie-security"): "Debian"})
    assert _found({**TRIXIE, "mirror": MIRROR}) == [("base", MIRROR, "trixie")]


def test_a_suite_that_is_not_known_is_left_to_the_tool(archives: dict[tuple[str, str], Any]) -> None:
    assert _found({**TRIXIE, "suite": "kali-rolling"}) == []


def test_repositories_of_the_user_replace_all_others(archives: dict[tuple[str, str], Any]) -> None:
    given = [
        {"name": "one"},
        {"name": "two", "url": "http://me:k%2Fy@two.example.org/x", "suite": "s", "components": ["c", "d"], "keyring": "/k.gpg"},
    ]
    found = repositories.find_repositories({**TRIXIE, "mirror": MIRROR, "components": ["main", "contrib"], "repositories": given}, print)
    assert found == [
        Repository("one", Mirror(MIRROR), "trixie", ("main", "contrib"), DEBIAN["keyring"]),
        Repository("two", Mirror("http://two.example.org/x", "me", "k/y"), "s", ("c", "d"), "/k.gpg"),
    ]
    assert found[1].host_line == 'deb [signed-by="/k.gpg"] http://two.example.org/x s c d'
    assert repositories.logins(found) == "machine http://two.example.org/x login me password k/y\n"
    assert repositories.find_repositories({**TRIXIE, "repositories": given[:1]}, print)[0].url == OWN


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([{"name": "A b"}], "'A b' is not a name for a repository: use lower-case letters, digits and -"),
        ([{"name": "a"}, {"name": "a"}], "two repositories have the name 'a': give each one a name of its own"),
        ([{"name": "a", "url": "x"}], "the mirror 'x' is not a URL: give a URL such as https://mirror.example.org/debian"),
        ([{"name": "a", "url": "http://x [trusted=yes]"}], "the mirror 'http://x [trusted=yes]' is not a URL: give a URL such as "),
        ([{"name": "a", "url": MIRROR, "suite": "a b"}], "'a b' is not the name of a suite: give a name such as 'trixie'"),
        ([{"name": "a", "url": MIRROR, "components": ["a b"]}], "'a b' in components is not one word: give words without spaces and commas"),
        ([{"name": "a", "url": MIRROR, "keyring": "/nonexistent.gpg"}], "the keyring /nonexistent.gpg does not exist: correct the path, "),
    ],
)
def test_repositories_that_are_refused(given: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(RunnerError) as error:
        repositories.check_repositories({**TRIXIE, "repositories": given})
    assert str(error.value).startswith(message)


def test_a_repository_needs_a_url_where_the_suite_is_not_known() -> None:
    with pytest.raises(RunnerError, match=r"^the repository 'a' has no URL, and no archive of the suite 'own' is known: give a URL such as "):
        repositories.check_repositories({"suite": "own", "repositories": [{"name": "a"}]})


def test_a_signature_that_cannot_be_checked_names_the_package_with_the_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    noble = {**TRIXIE, "suite": "noble"}
    replace_os_path(monkeypatch, repositories, exists=lambda path: False)
    assert repositories.keyring_remedy(noble) == "run apt install ubuntu-keyring, or name a keyring in nspawn_runner_keyring"
    assert repositories.keyring_remedy({**noble, "keyring": "/k.gpg"}) == "check the keyring"
    assert repositories.keyring_remedy({"suite": "own"}) == "check the keyring"
    replace_os_path(monkeypatch, repositories, exists=lambda path: True)
    assert repositories.keyring_remedy(noble) == "check the keyring"


def test_a_keyring_that_sources_list_cannot_name(tmp_path: Path) -> None:
    (tmp_path / "a b.gpg").touch()
    with pytest.raises(RunnerError, match="has a space"):
        repositories.check_repositories({**TRIXIE, "keyring": str(tmp_path / "a b.gpg")})


def test_a_login_is_neither_shown_nor_recorded() -> None:
    url = "http://me:secret@two.example.org/x"
    given = [{"name": "one", "url": None}, {"name": "two", "url": url, "suite": "s", "components": ["c"], "keyring": "/k.gpg"}]
    params = {**TRIXIE, "mirror": "http://me:s2@mirror.example.org", "repositories": given}
    shown = repositories.without_login(params)
    assert shown["repositories"] == ["one:", "two: http://two.example.org/x s c signed by /k.gpg"]
    assert shown["mirror"] == "http://mirror.example.org"
    assert repositories.secrets_of(params) == {"secret", url, "s2", params["mirror"]}
    assert repositories.secrets_of(TRIXIE) == set()


def test_the_keys_of_a_distribution_are_looked_for_where_apt_of_the_host_trusts_some(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("own.gpg", "empty.asc", "a b.gpg", "README"):
        (tmp_path / name).write_text("" if name == "empty.asc" else "x")
    monkeypatch.setattr(repositories, "_TRUSTED", str(tmp_path))
    line = Repository("base", Mirror(MIRROR), "trixie", ("main",), DEBIAN["keyring"]).host_line
    assert line == f'deb [signed-by="{DEBIAN["keyring"]},{tmp_path}/own.gpg"] {MIRROR} trixie main'
    # A keyring that the user chose is the only one.
    assert Repository("base", Mirror(MIRROR), "trixie", ("main",), "/k.gpg").host_line == f'deb [signed-by="/k.gpg"] {MIRROR} trixie main'


@pytest.mark.parametrize("content", [b"\x99\x02binary", b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n"])
def test_apt_in_the_tree_gets_sources_keyrings_and_logins(tmp_path: Path, content: bytes) -> None:
    tree = tmp_path / "tree"
    (tree / "etc/apt").mkdir(parents=True)
    (tree / "etc/apt/sources.list").symlink_to(tmp_path / "outside")
    (tmp_path / "k.gpg").write_bytes(content)
    both = [Repository(name, Mirror(MIRROR, "me", "key"), "trixie", ("main",), str(tmp_path / "k.gpg")) for name in ("base", "updates")]
    repositories.write_sources(str(tree), [*both, Repository("other", Mirror("http://x.example.org"), "y", ("z",))])
    end = "gpg" if content[0] == 0x99 else "asc"
    path = f"/etc/apt/keyrings/nspawn-runner-base.{end}"
    line = f'deb [signed-by="{path}"] {MIRROR} trixie main\n'
    assert (tree / "etc/apt/sources.list").read_text() == f"{line}{line}deb http://x.example.org y z\n"
    assert (tree / path.lstrip("/")).read_bytes() == content
    assert not (tmp_path / "outside").exists()
    login = tree / "etc/apt/auth.conf.d/nspawn-runner.conf"
    assert (login.read_text(), login.stat().st_mode & 0o777) == (f"machine {MIRROR} login me password key\n", 0o600)
    assert (tree / "etc/apt/sources.list").stat().st_mode & 0o777 == 0o644


def test_a_keyring_of_the_distribution_is_the_one_that_the_tree_has(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    own = Repository("base", Mirror(MIRROR), "trixie", ("main",), DEBIAN["keyring"])
    (tmp_path / DEBIAN["keyring"].lstrip("/")).parent.mkdir(parents=True)
    (tmp_path / DEBIAN["keyring"].lstrip("/")).write_text("x")
    repositories.write_sources(str(tmp_path), [own])
    assert (tmp_path / "etc/apt/sources.list").read_text() == f'deb [signed-by="{DEBIAN["keyring"]}"] {MIRROR} trixie main\n'
    # Where apt in the tree trusts the keys anyway, a playbook can add a component without naming a keyring.
    (tmp_path / "etc/apt/trusted.gpg.d").mkdir()
    (tmp_path / "etc/apt/trusted.gpg.d/debian.asc").touch()
    repositories.write_sources(str(tmp_path), [own])
    assert (tmp_path / "etc/apt/sources.list").read_text() == f"deb {MIRROR} trixie main\n"


def test_links_of_the_tree_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/etc").symlink_to(tmp_path / "outside")
    with pytest.raises(OSError, match="etc"):
        repositories.write_sources(str(tmp_path / "tree"), [Repository("base", Mirror(MIRROR), "trixie", ("main",))])
    assert list((tmp_path / "outside").iterdir()) == []
