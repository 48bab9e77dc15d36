# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the package repositories of a new tree: the suite, its updates and its security updates. Names can change at any time.

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import unquote

from ansible_collections.nspawn.runner.plugins.module_utils._create.release import NoAnswer, has_expired, read_release
from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._host.process import Log, find_program
from ansible_collections.nspawn.runner.plugins.module_utils._spec.distributions import DISTRIBUTIONS, POCKETS
from ansible_collections.nspawn.runner.plugins.module_utils._tree import beneath

# In the tables: the archive that apt of this host uses.
_APT = "apt"
# Seconds for apt's list of its sources, which asks no archive.
_APT_TIME = 10
_SOURCES = "etc/apt/sources.list"
# The logins of repositories, for apt in the new tree (apt_auth.conf(5)).
_LOGIN_FILE = "etc/apt/auth.conf.d/nspawn-runner.conf"
# Bytes of a keyring: Debian's has 60 KiB.
_KEYRING = 4 << 20
_ARCHITECTURES = {"x86_64": "amd64", "i686": "i386", "aarch64": "arm64"}
_EXAMPLE = "https://mirror.example.org/debian"
# Keys that apt of this host trusts for each repository.
_TRUSTED = "/etc/apt/trusted.gpg.d"
# Characters of a path that the option signed-by cannot have (sources.list(5)).
_UNREADABLE = r"[\"\[\],\s]"


class Mirror(NamedTuple):
    """A mirror's URL, and the login that stands in the URL that the user gave."""

    url: str
    user: str = ""
    password: str = ""


class Repository(NamedTuple):
    """A package repository, as apt needs it."""

    name: str
    mirror: Mirror
    suite: str
    components: tuple[str, ...]
    # A file of the host; empty for the keys that apt trusts anyway.
    keyring: str = ""
    # Instead of the proxy in the environment.
    proxy: str = ""

    @property
    def url(self) -> str:
        return self.mirror.url

    @property
    def host_line(self) -> str:
        """The line of sources.list for a tool on this host."""
        return self.line([self.keyring, *(_trusted() if _is_own(self.keyring) else [])] if self.keyring else [])

    def line(self, keyrings: Sequence[str]) -> str:
        """The line of sources.list, with the paths of keyrings."""
        return " ".join(["deb", *([f'[signed-by="{",".join(keyrings)}"]'] if keyrings else []), self.url, self.suite, *self.components])

    def login(self) -> str:
        """The line of apt's auth.conf; empty without a password."""
        return f"machine {self.url} login {self.mirror.user} password {self.mirror.password}" if self.mirror.password else ""


def split_login(url: str) -> Mirror:
    """The URL and its login. A user's name without a password stays in the URL."""
    match = re.fullmatch(r"([A-Za-z][A-Za-z0-9+.-]*://)([^/:]*):([^/]+)@([^/@]*(?:/.*)?)", url)
    return Mirror(match[1] + match[4], unquote(match[2]), unquote(match[3])) if match else Mirror(url)


def mirror_of(params: Mapping[str, Any]) -> Mirror:
    """The mirror among the options of nspawn.runner.chroot."""
    return split_login(params.get("mirror") or "")


def secrets_of(params: Mapping[str, Any]) -> set[str]:
    """The passwords in the URLs of these options, and the URLs with passwords."""
    urls = [params.get("mirror") or "", *(entry.get("url") or "" for entry in params.get("repositories") or [])]
    return {secret for url in urls if (password := split_login(url).password) for secret in (password, url)}


def without_login(params: Mapping[str, Any]) -> dict[str, Any]:
    """The options of nspawn.runner.chroot that may be shown and recorded, without logins, and without the proxy, which shapes no tree. Each
    repository is one text."""
    shown = {option: value for option, value in params.items() if option != "proxy"}
    if params.get("mirror"):
        shown["mirror"] = mirror_of(params).url
    if params.get("repositories"):
        shown["repositories"] = [_text(entry) for entry in params["repositories"]]
    return shown


def _text(entry: Mapping[str, Any]) -> str:
    keyring = f"signed by {entry['keyring']}" if entry.get("keyring") else None
    words = (f"{entry['name']}:", split_login(entry.get("url") or "").url, entry.get("suite"), *(entry.get("components") or []), keyring)
    return " ".join(word for word in words if word)


def check_repositories(params: Mapping[str, Any]) -> None:
    """Refuses options of repositories that apt cannot have. Raises RunnerError."""
    _check_mirror(mirror_of(params))
    _check_keyring(params)
    names: set[str] = set()
    for entry in params.get("repositories") or []:
        name = entry["name"]
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,63}", name):
            raise RunnerError(f"'{name}' is not a name for a repository", "use lower-case letters, digits and -")
        if name in names:
            raise RunnerError(f"two repositories have the name '{name}'", "give each one a name of its own")
        names.add(name)
        if entry.get("url"):
            _check_mirror(split_login(entry["url"]))
        elif not _mirror_or_own(params).url:
            found = f"the repository '{name}' has no URL, and no archive of the suite '{params['suite']}' is known"
            raise RunnerError(found, f"give a URL such as {_EXAMPLE}")
        if entry.get("suite"):
            check_suite(entry["suite"])
        check_words("components", entry.get("components") or [])
        _check_keyring(entry)


def _check_mirror(mirror: Mirror) -> None:
    url, user, password = mirror
    if url and not re.fullmatch(r"[a-z][a-z0-9+.-]*:[^\s\[\]]+", url):
        raise RunnerError(f"the mirror '{url}' is not a URL", f"give a URL such as {_EXAMPLE}")
    if re.search(r"\s|^#", user) or re.search(r"\s|^#", password):
        found = f"the login in the URL of the mirror {url} has a space, or begins with #"
        raise RunnerError(found, "use another login: apt cannot read this one from its auth.conf")


def _check_keyring(params: Mapping[str, Any]) -> None:
    keyring = params.get("keyring")
    if keyring and not os.path.exists(keyring):
        raise RunnerError(f"the keyring {keyring} does not exist", "correct the path, or install the package that contains the keyring")
    if keyring and re.search(_UNREADABLE, keyring):
        found = f"the path of the keyring {keyring} has a space, a comma, a quote or a bracket"
        raise RunnerError(found, "rename it: apt cannot read this path from its sources.list")


def check_suite(suite: str) -> None:
    """Refuses a text that is not the name of a suite. Raises RunnerError."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.+_~-]*(/[A-Za-z0-9][A-Za-z0-9.+_~-]*)*", suite):
        raise RunnerError(f"'{suite}' is not the name of a suite", "give a name such as 'trixie'")


def check_words(option: str, value: Any) -> None:
    """Refuses texts that would be several words, or options of a program. Raises RunnerError."""
    for word in [value] if isinstance(value, str) else value:
        if not re.fullmatch(r"[A-Za-z0-9?~!][^\s,]*", word):
            raise RunnerError(f"'{word}' in {option} is not one word", "give words without spaces and commas")


def components_of(params: Mapping[str, Any]) -> list[str]:
    """The components among the options of nspawn.runner.chroot."""
    return list(params.get("components") or ["main"])


def find_repositories(params: Mapping[str, Any], log: Log) -> list[Repository]:
    """The repositories that the tree is made from, the suite itself first. Empty if the bootstrap tool has to choose them.

    Without `repositories`, asks the archives which pockets exist. Raises RunnerError.
    """
    if params.get("repositories"):
        return [_given(entry, params) for entry in params["repositories"]]
    mirror = _mirror_or_own(params)
    if not mirror.url:
        return []
    base = Repository("base", mirror, params["suite"], tuple(components_of(params)), _keyring(params, _by_suite(params)), params.get("proxy") or "")
    try:
        release = _read(base)
    except NoAnswer as problem:
        # The tool will say so. If the tool has another way to the archive, no pocket may be missing.
        log(f"{_place(base)} does not answer: {problem}")
        row = _by_suite(params)
        return [base, *([places[-1] for places in _places(base, row)] if row else [])]
    row = _by_origin(params, release.get("Origin", "")) if release is not None else None
    if not row:
        return [base]
    base = base._replace(keyring=_keyring(params, row))
    return [base, *(pocket for places in _places(base, row) if (pocket := _first(places, row, log)))]


def _given(entry: Mapping[str, Any], params: Mapping[str, Any]) -> Repository:
    mirror = split_login(entry["url"]) if entry.get("url") else _mirror_or_own(params)
    keyring = entry.get("keyring") or _keyring(params, _by_suite(params))
    return Repository(entry["name"], mirror, entry.get("suite") or params["suite"], tuple(entry.get("components") or components_of(params)), keyring)


def _mirror_or_own(params: Mapping[str, Any]) -> Mirror:
    """The mirror of the options, or the distribution's own archive; empty if the distribution is not known."""
    row = _by_suite(params)
    mirror = mirror_of(params)
    return mirror if mirror.url or not row else Mirror(_own(row))


def _own(row: Mapping[str, Any]) -> str:
    """The URL of the distribution's own archive; empty if none is known."""
    return str(row["mirror"]) if row["mirror"] != _APT else _site(row)


def _own_place(pocket: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    """The URL of the distribution's own place of a pocket; empty if none is known."""
    return str(pocket["mirror"] or "") if pocket["mirror"] != _APT else _site(row, pocket["suite"].format(suite=""))


def _site(row: Mapping[str, Any], ending: str = "") -> str:
    """The archive that apt of this host uses for a suite of the distribution with this ending; empty if apt has none."""
    # Without package lists, apt does not know the origin.
    sites = (site for site, origin, suite in _apt_sources() if origin in ("", row["origin"]) and re.fullmatch(f"(?:{row['suites']}){ending}", suite))
    return next(sites, "")


@cache
def _apt_sources() -> tuple[tuple[str, str, str], ...]:
    """URL, origin and suite of each source of apt on this host."""
    program = find_program("apt-get")
    if not program:
        return ()
    argv = [program, "indextargets", "--format", "$(SITE)|$(ORIGIN)|$(RELEASE)", "Created-By: Packages"]
    try:
        # Only a module has run_command. pylint: disable-next=ansible-bad-function
        listed = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=_APT_TIME, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ()
    rows = (line.split("|") for line in listed.splitlines())
    return tuple((row[0], row[1], row[2]) for row in rows if len(row) == 3 and re.match("(?:https?|file):", row[0]))


def _by_suite(params: Mapping[str, Any]) -> dict[str, Any] | None:
    return next((row for row in _rows(params) if re.fullmatch(row["suites"], params["suite"])), None)


def _by_origin(params: Mapping[str, Any], origin: str) -> dict[str, Any] | None:
    rows = [row for row in _rows(params) if row["origin"] == origin]
    return next((row for row in rows if re.fullmatch(row["suites"], params["suite"])), rows[0] if rows else None)


def _rows(params: Mapping[str, Any]) -> list[dict[str, Any]]:
    machine = platform.machine()
    architecture = params.get("architecture") or _ARCHITECTURES.get(machine, machine)
    return [row for row in DISTRIBUTIONS if re.fullmatch(row["architectures"], architecture)]


def _keyring(params: Mapping[str, Any], row: Mapping[str, Any] | None) -> str:
    """The keyring of the options, or the distribution's where it is installed; apt may trust its keys without the file."""
    if params.get("keyring"):
        return str(params["keyring"])
    return str(row["keyring"]) if row and os.path.exists(row["keyring"]) else ""


def keyring_remedy(params: Mapping[str, Any]) -> str:
    """The remedy for a signature that cannot be checked."""
    row = _by_suite(params)
    if not row or params.get("keyring") or os.path.exists(row["keyring"]):
        return "check the keyring"
    return f"run apt install {row['package']}, or name a keyring in nspawn_runner_keyring"


def _places(base: Repository, row: Mapping[str, Any]) -> Iterator[list[Repository]]:
    """For each pocket that the suite can have, its places: on the mirror, and in the distribution's own archive."""
    for pocket in POCKETS:
        if pocket["distribution"] != row["name"] or not re.fullmatch(pocket["suites"], base.suite):
            continue
        suite = pocket["suite"].format(suite=base.suite)
        url = pocket["beside"].format(mirror=base.url.rstrip("/"))
        places = [base._replace(name=pocket["name"], suite=suite, mirror=base.mirror._replace(url=url))]
        if url := _own_place(pocket, row):
            own = Repository(pocket["name"], Mirror(url), suite, base.components, _keyring({}, row), base.proxy)
            # A mirror in the local network often holds the suite alone, without the security updates.
            places = [own] if base.url == _own(row) else [*places, own]
        yield places


def _first(places: Sequence[Repository], row: Mapping[str, Any], log: Log) -> Repository | None:
    """The first place that has the pocket; None if there is none, as for an archived suite."""
    own = [_own(row), *(_own_place(pocket, row) for pocket in POCKETS if pocket["distribution"] == row["name"])]
    for place in places:
        try:
            release = _read(place)
        except NoAnswer as problem:
            if place is not places[-1]:
                log(f"{_place(place)} does not answer: {problem}")
                continue
            # A pocket that is left out for a fault of the network would be missing for as long as the tree exists.
            remedy = "check the network and the proxy, or name the repositories that this host can reach in nspawn_runner_repositories"
            raise RunnerError(f"the {place.name} pocket {_place(place)} does not answer: {problem}", remedy) from problem
        if release is None or release.get("Origin") != row["origin"]:
            log(f"{_place(place)} does not exist")
        elif has_expired(release) and place.url not in own:
            # A mirror that is no longer updated. apt itself refuses the distribution's own archive if that has expired.
            log(f"{_place(place)} has expired, and is not used")
        else:
            return place
    log(f"the tree has no {places[0].name} pocket")
    return None


def _is_own(keyring: str) -> bool:
    return any(keyring == row["keyring"] for row in DISTRIBUTIONS)


def _trusted() -> list[str]:
    """The keyrings that apt of this host trusts anyway: a mirror may have signed its Release files anew."""
    try:
        paths = [os.path.join(_TRUSTED, name) for name in sorted(os.listdir(_TRUSTED)) if name.endswith((".gpg", ".asc"))]
        return [path for path in paths if not re.search(_UNREADABLE, path) and os.stat(path).st_size and os.stat(path).st_mode & 0o004]
    except OSError:
        return []


def _read(repository: Repository) -> dict[str, str] | None:
    return read_release(repository.url, repository.suite, repository.mirror.user, repository.mirror.password, repository.proxy)


def _place(repository: Repository) -> str:
    return f"{repository.suite} of {repository.url}"


def logins(repositories: Sequence[Repository]) -> str:
    """The lines of apt's auth.conf; empty without a login."""
    return "".join(f"{line}\n" for line in dict.fromkeys(filter(None, (repository.login() for repository in repositories))))


def write_sources(tree: str, repositories: Sequence[Repository]) -> None:
    """Writes apt's sources, keyrings and logins into the tree. Raises OSError or RunnerError."""
    keyrings: dict[str, str] = {}
    for repository in repositories:
        if repository.keyring and repository.keyring not in keyrings:
            keyrings[repository.keyring] = _tree_keyring(tree, repository)
    named = ((repository, keyrings.get(repository.keyring)) for repository in repositories)
    text = "".join(f"{repository.line([keyring] if keyring else [])}\n" for repository, keyring in named)
    beneath.write_file(tree, _SOURCES, text.encode())
    if lines := logins(repositories):
        beneath.write_file(tree, _LOGIN_FILE, lines.encode(), 0o600)


def _tree_keyring(tree: str, repository: Repository) -> str:
    """The path of the repository's keyring in the tree; empty if apt in the tree trusts the keys anyway."""
    path = repository.keyring
    if _is_own(path) and beneath.is_file(tree, path.lstrip("/")):
        # apt refuses two sources of one suite of which only one names a keyring, and playbooks add components without one.
        return "" if _trusts_keys(tree) else path
    with open(path, "rb") as file:
        content = file.read(_KEYRING + 1)
    if len(content) > _KEYRING:
        raise RunnerError(f"the keyring {path} is larger than {_KEYRING >> 20} MiB", "name a file with keys")
    copy = f"etc/apt/keyrings/nspawn-runner-{repository.name}.{'asc' if content.lstrip().startswith(b'-----BEGIN') else 'gpg'}"
    beneath.write_file(tree, copy, content)
    return f"/{copy}"


def _trusts_keys(tree: str) -> bool:
    """Whether the distribution's keyring package has put its keys where apt trusts them for all repositories."""
    with beneath.directory_beneath(tree, "etc/apt/trusted.gpg.d") as directory:
        return directory is not None and any(name.endswith((".gpg", ".asc")) for name in os.listdir(directory))
