# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the seed of a new tree: a bootstrap tool, an archive or a command. Names can change at any time.

from __future__ import annotations

import hashlib
import io
import os
import re
import subprocess
from collections.abc import Mapping
from typing import Any

from ansible_collections.nspawn.runner.plugins.module_utils._create.repositories import (
    Mirror,
    Repository,
    check_repositories,
    check_suite,
    check_words,
    components_of,
    find_repositories,
    keyring_remedy,
    logins,
    mirror_of,
    without_login,
    write_sources,
)
from ansible_collections.nspawn.runner.plugins.module_utils._create.upgrade import upgrade
from ansible_collections.nspawn.runner.plugins.module_utils._host import files
from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError, system_error
from ansible_collections.nspawn.runner.plugins.module_utils._host.nspawn import proxy_environment
from ansible_collections.nspawn.runner.plugins.module_utils._host.process import Log, find_program, guarded, run
from ansible_collections.nspawn.runner.plugins.module_utils._image.leftovers import config_path
from ansible_collections.nspawn.runner.plugins.module_utils._spec.bootstrap_tools import (
    BASE_PACKAGES,
    BOOTSTRAP_TOOLS,
    KEPT_CAPABILITIES,
    KEPT_VARIABLES,
)

# First bytes of an archive, tar's option, the program that decompresses, the Debian package of this program.
_COMPRESSIONS = (
    (b"\x1f\x8b", "--gzip", "gzip", "gzip"),
    (b"\xfd7zXZ\x00", "--xz", "xz", "xz-utils"),
    (b"\x28\xb5\x2f\xfd", "--zstd", "zstd", "zstd"),
)
# Messages of apt and dpkg about an inconsistent archive. No setting of this host causes them.
BROKEN_ARCHIVE = r"unmet dependencies|held broken packages|dependency problems|Hash Sum mismatch|unexpected size"
BROKEN_ARCHIVE_REASON = "the archive's dependencies cannot be satisfied at the moment, as happens in a rolling suite"
BROKEN_ARCHIVE_REMEDY = "try again later"
# Pattern of the last lines of a program's output, the reason, the remedy. The first pattern that matches counts.
_FULL = ("the disk is full", "free some space in {root}")
_REASONS = (
    (r"No space left on device|Disk quota exceeded|not enough free disk space|enough free space", *_FULL),
    (
        (
            r"Could not connect|Connection failed|Connection refused|timed out|Unable to connect|Could not resolve"
            r"|Temporary failure resolving|Temporary failure in name resolution"
        ),
        "the mirror does not answer",
        "check the mirror, the network and the proxy",
    ),
    (r"does not have a Release file|No such script", "the mirror has no suite '{suite}'", "check the suite's name and the mirror"),
    (r"Failed getting release file", "the mirror has no suite '{suite}' or does not answer", "check the suite's name, the mirror and the network"),
    (r"NO_PUBKEY|not signed|Release signed by unknown key|couldn't be verified", "the archive's signature cannot be checked", "{keyring}"),
    (BROKEN_ARCHIVE, BROKEN_ARCHIVE_REASON, BROKEN_ARCHIVE_REMEDY),
    (r"is expired \(invalid since|is not valid yet", "the archive is out of date", "check the mirror, and the clock of this host"),
    (r"Unable to locate package|Couldn't find these debs|has no installation candidate", "the suite lacks one of the packages", "check their names"),
)
_BY_OPTION = ("command", "tarball")
# Options that a plan shows.
_SHOWN = ("mirror", "repositories", "architecture", "variant", "keyring")


def plan(params: dict[str, Any]) -> dict[str, Any]:
    """The method by which the tree is made, `bootstrap`, and its options. `params`: the options of nspawn.runner.chroot. Raises RunnerError."""
    method = _method(params)
    if method == "command":
        argv = params.get("command") or []
        if not argv or not argv[0]:
            raise RunnerError("the create command is empty", "give a list of a program and its arguments")
        if not find_program(argv[0]) and "{tree}" not in argv[0]:
            raise RunnerError(f"the program '{argv[0]}' of the create command is not installed", "install it")
        return {"bootstrap": method, "command": list(argv)}
    if method == "tarball":
        if not params.get("tarball"):
            raise RunnerError("the bootstrap method 'tarball' has no archive", "give the path of one")
        return {"bootstrap": method, "tarball": params["tarball"]}
    _check_options(params)
    shown = {key: value for key, value in without_login(params).items() if key in _SHOWN and value}
    return {"bootstrap": method, "suite": params["suite"], **shown, "packages": _packages(params), "components": components_of(params)}


def _method(params: dict[str, Any]) -> str:
    if params.get("bootstrap") in _BY_OPTION:
        return params["bootstrap"]
    if not params.get("bootstrap"):
        given = [name for name in _BY_OPTION if params.get(name)]
        if len(given) == 2:
            raise RunnerError("both a command and a tarball are given", "set 'bootstrap' to the one that makes the tree")
        if given:
            return given[0]
    if not params.get("suite"):
        raise RunnerError("the suite is not set, and a bootstrap tool needs one", "set it, for example to 'trixie'")
    return _tool(params)["name"]


def _tool(params: dict[str, Any]) -> dict[str, Any]:
    wanted = [tool for tool in BOOTSTRAP_TOOLS if params.get("bootstrap") in (None, "", tool["name"])]
    installed = [tool for tool in wanted if find_program(tool["program"])]
    if not installed:
        names = " or ".join(tool["program"] for tool in wanted)
        raise RunnerError(f"{names} is not installed", f"run apt install {wanted[0]['package']}")
    check_suite(params["suite"])
    for tool in installed:
        if not tool["suite_files"] or any(os.path.exists(file.format(suite=params["suite"])) for file in tool["suite_files"]):
            return tool
    remedy = f"check the suite's name, or use {BOOTSTRAP_TOOLS[0]['name']} (apt install {BOOTSTRAP_TOOLS[0]['package']})"
    raise RunnerError(f"{installed[0]['program']} of this host does not know the suite '{params['suite']}'", remedy)


def _check_options(params: dict[str, Any]) -> None:
    check_repositories(params)
    for option in ("architecture", "components", "packages"):
        check_words(option, params.get(option) or [])


def _packages(params: dict[str, Any]) -> list[str]:
    return list(dict.fromkeys([*BASE_PACKAGES, *(params.get("packages") or [])]))


def fill(tree: str, state: str, params: dict[str, Any], planned: dict[str, Any], log: Log) -> tuple[str, ...]:
    """Fills the empty directory `tree`, and returns patterns of the files that the tool leaves in it. Raises OSError or RunnerError.

    `state`: the image's private directory, for the tool's configuration file. `planned`: the result of `plan`.
    """
    method = planned["bootstrap"]
    if method == "tarball":
        _unpack(tree, params, log)
        return ()
    if method == "command":
        argv = [word.replace("{tree}", tree) for word in planned["command"]]
        _succeed(argv, argv[0], tree, params, log, proxy_environment(params.get("proxy")))
        return ()
    tool = next(tool for tool in BOOTSTRAP_TOOLS if tool["name"] == method)
    repositories = find_repositories(params, log)
    for repository in repositories:
        log(f"repository {repository.name}: {repository.host_line}")
    _use(tool, tree, state, params, planned, repositories, log)
    if repositories:
        write_sources(tree, repositories)
    if tool["upgrade"] and len(repositories) > 1:
        status, tail = upgrade(tree, params["name"], state, repositories, planned["packages"], params.get("proxy") or "", log)
        if status != 0:
            found, remedy = _failure("the upgrade in the new tree", status, tail, tree, params)
            raise RunnerError(found, remedy, tail)
    return tool["leftovers"]


def _use(tool: Mapping[str, Any], tree: str, state: str, params: dict[str, Any], planned: dict[str, Any], repositories: list[Repository], log: Log) -> None:
    """Runs the tool, on the first repository or on all of them."""
    values = {**{key: params.get(key) for key in ("suite", "architecture", "variant", "keyring")}, **_login(mirror_of(params))}
    values.update(tree=tree, components=",".join(planned["components"]), packages=",".join(planned["packages"]), login=logins(repositories).rstrip("\n"))
    if repositories:
        base = repositories[0]
        values.update(suite=base.suite, keyring=base.keyring, components=",".join(base.components), **_login(base.mirror))
        if tool["upgrade"] and len(repositories) > 1:
            # The other packages can be in any of the repositories: the upgrade installs them.
            values["packages"] = ",".join([*BASE_PACKAGES, *(["ca-certificates"] if any(entry.url.startswith("https:") for entry in repositories) else [])])
    environment = {**proxy_environment(params.get("proxy")), "DEBIAN_FRONTEND": "noninteractive", "DEBCONF_NONINTERACTIVE_SEEN": "true"}
    lines = _filled(tool["config_lines"], values)
    config = config_path(state) if lines else ""
    if config:
        files.write_text(config, "".join(f"{line}\n" for line in lines))
        if tool["config_variable"]:
            environment[tool["config_variable"]] = config
    under = find_program(tool["under"]) if tool["under"] else None
    sources = [entry.host_line for entry in repositories]
    arguments = _filled(tool["arguments"], {**values, "config": config}, {"sources": sources})
    _succeed([*([under] if under else []), find_program(tool["program"]) or tool["program"], *arguments], tool["program"], tree, params, log, environment)


def _login(mirror: Mirror) -> dict[str, str]:
    return {"mirror": mirror.url, "user": mirror.user, "password": mirror.password}


def _filled(texts: tuple[str, ...], values: Mapping[str, Any], lists: Mapping[str, list[str]] | None = None) -> list[str]:
    """The texts with their placeholders filled, without the texts that have an unset value. A text {NAME...} becomes a text per item of a list."""
    filled: list[str] = []
    for text in texts:
        if match := re.fullmatch(r"{(\w+)\.\.\.}", text):
            filled += (lists or {}).get(match[1], [])
        elif all(values[name] for name in re.findall(r"{(\w+)}", text)):
            filled.append(re.sub(r"{(\w+)}", lambda match: values[match[1]], text))
    return filled


def _run(argv: list[str], log: Log, environment: Mapping[str, str], stdin: Any = subprocess.DEVNULL) -> tuple[int, list[str]]:
    """As run(), for a program that runs code from outside or unpacks it: with little of this process's environment and of root's power.

    The program has host names, IPC objects, mounts and process ids of its own, but no user namespace: it makes files of all owners, and device nodes.
    """
    capabilities = ",".join(["-all", *(f"+{name}" for name in KEPT_CAPABILITIES)])
    confined = ["unshare", "--ipc", "--uts", "--", "setpriv", "--inh-caps=-all", f"--bounding-set={capabilities}", "--", *argv]
    return run(guarded(confined), log=log, stdin=stdin, environment=environment, inherited=KEPT_VARIABLES)


def _succeed(argv: list[str], name: str, tree: str, params: dict[str, Any], log: Log, environment: Mapping[str, str] | None = None) -> None:
    status, tail = _run(argv, log, environment or {})
    if status != 0:
        found, remedy = _failure(name, status, tail, tree, params)
        raise RunnerError(found, remedy, tail)


def _failure(name: str, status: int, tail: list[str], tree: str, params: dict[str, Any]) -> tuple[str, str]:
    """The failure of a program, with the reason that its last lines or the full disk show, and the remedy."""
    text = "\n".join(tail)
    reason, remedy = next(((reason, remedy) for pattern, reason, remedy in _REASONS if re.search(pattern, text)), ("", ""))
    if _is_full(tree):
        reason, remedy = _FULL
    if not reason:
        return f"{name} failed with exit status {status}", ""
    keyring = keyring_remedy(params) if params.get("suite") else "check the keyring"
    values = {"suite": params.get("suite"), "root": os.path.dirname(os.path.dirname(os.path.dirname(tree))), "keyring": keyring}
    return f"{name} failed: {reason.format(**values)}", remedy.format(**values)


def _is_full(tree: str) -> bool:
    space = os.statvfs(os.path.dirname(tree))
    return space.f_bavail * space.f_frsize < 1 << 20 or (space.f_files > 0 and space.f_favail < 16)


def _unpack(tree: str, params: dict[str, Any], log: Log) -> None:
    archive = params["tarball"]
    with _open_archive(archive) as file:
        check_sum(file, archive, params.get("checksum"))
        start = file.read(8)
        file.seek(0)
        option = next((row for row in _COMPRESSIONS if start.startswith(row[0])), None)
        if option and not find_program(option[2]):
            raise RunnerError(f"{archive} is compressed by {option[2]}, which is not installed", f"run apt install {option[3]}")
        argv = ["tar", "--extract", "--file=-", *(option[1:2] if option else ()), f"--directory={tree}", "--numeric-owner"]
        # The extended attributes that have an effect in a container, not those of overlays and security modules.
        argv += ["--acls", "--xattrs", "--xattrs-include=security.capability", "--xattrs-include=user.*", "--warning=no-timestamp"]
        status, tail = _run(argv, log, {}, file.fileno())
    if status == 0:
        return
    if re.search("does not look like a tar archive|not in gzip format|Unexpected EOF|format not recognized", "\n".join(tail)):
        raise RunnerError(f"{archive} is not a whole tar archive", "replace it by a whole one", tail)
    found, remedy = _failure("tar", status, tail, tree, params)
    raise RunnerError(f"{archive} cannot be unpacked: {found}", remedy, tail)


def _open_archive(archive: str) -> io.FileIO:
    try:
        # To open a FIFO would block.
        if not os.path.isfile(archive):
            raise RunnerError(f"the archive {archive} {'is not a regular file' if os.path.exists(archive) else 'does not exist'}", "correct its path")
        return open(archive, "rb", buffering=0)
    except OSError as exc:
        raise system_error(exc, f"the archive {archive} cannot be read") from exc


def check_sum(file: io.FileIO, archive: str, checksum: str | None) -> None:
    """Compares the checksum of an open archive, and seeks back to the start. Raises RunnerError."""
    if not checksum:
        return
    algorithm, _colon, expected = checksum.partition(":")
    known = sorted(name for name in hashlib.algorithms_guaranteed if not name.startswith("shake"))
    if algorithm not in known or len(expected) != 2 * hashlib.new(algorithm).digest_size or not re.fullmatch("[0-9a-fA-F]+", expected):
        raise RunnerError(f"the checksum '{checksum}' is not ALGORITHM:HEX", f"give all digits of the sum, and one of the algorithms {', '.join(known)}")
    computed = hashlib.new(algorithm)
    while block := file.read(1 << 20):
        computed.update(block)
    file.seek(0)
    if computed.hexdigest() != expected.lower():
        found = f"checksum mismatch of {archive}: expected {checksum}, got {algorithm}:{computed.hexdigest()}"
        raise RunnerError(found, "replace the archive, or correct the checksum")


def check_archive(params: dict[str, Any]) -> None:
    """Raises RunnerError for an archive that cannot be read or has another checksum."""
    with _open_archive(params["tarball"]) as file:
        check_sum(file, params["tarball"], params.get("checksum"))
