# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the command that starts a container, and the file with an image's container options, which the wrapper nspawn-chroot and a session read.
# Names and the format of the file can change at any time.

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.nspawn.runner.plugins.module_utils._host import files
from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError, system_error
from ansible_collections.nspawn.runner.plugins.module_utils._host.process import guarded
from ansible_collections.nspawn.runner.plugins.module_utils._host.user_namespace import REMEDY, bind_source, obstacle
from ansible_collections.nspawn.runner.plugins.module_utils._spec.layout import CONTAINER_FILE
from ansible_collections.nspawn.runner.plugins.module_utils._spec.nspawn_flags import FLAGS, VARIABLE_FLAGS

# In the error of systemd-nspawn, which exits with status 1, about a tree that another container uses.
BUSY_MESSAGE = "is currently busy"
# Lines NAME=VALUE with the container's environment, for nspawn-inside.sh, in the environment of systemd-nspawn.
_ENVIRONMENT_VARIABLE = "NSPAWN_RUNNER_ENVIRONMENT"
_ENVIRONMENT_FLAG = "--setenv="
_NO_NAMESPACE = "--private-users=no"
# Device nodes of the tree cannot be opened. In one step, mount(8) would lose ro, nosuid and noexec of the mount with the tree; without mtab,
# options of /etc/fstab would replace them. The tmpfs: on a disk, systemd-nspawn prints an error about its directory for later mounts.
_PREPARE = (
    "propagate=/run/systemd/nspawn/propagate; mkdir -p $propagate && mount -t tmpfs -o mode=600 nspawn-runner $propagate "
    '&& mount --bind "$0" "$0" && mount --options-source=mtab -o remount,bind,nodev "$0" || exit 125; '
)
_START = 'systemd-nspawn --directory="$0" "$@"'


def flags(name: str) -> list[str]:
    """systemd-nspawn's arguments of one call, for an image of this name, with a machine name that no other call has."""
    machine = f"nspawn-runner-{os.urandom(8).hex()}"
    return [flag.replace("{machine}", machine).replace("{name}", host_name(name)) for flag in FLAGS]


def container_argv(tree: str, arguments: Sequence[str], descriptors: str = "", limit: int | None = None) -> list[str]:
    """The argv of a container on the tree, in PID and mount namespaces that end with the calling process (see guarded()).

    `arguments`: systemd-nspawn's, with the command. `descriptors`: a redirection of the shell, and what else systemd-nspawn inherits.
    `limit`: seconds after which the container is killed, with exit status 137.
    """
    # The shell stays the first process of the PID namespace, and its end ends all others: as the first, timeout(1) of coreutils 9.10 starts nothing
    # (it takes a parent with process id 1 for the end of its own).
    start = f"timeout --signal=KILL {limit} {_START}; exit $?" if limit else f"exec {_START}"
    return guarded(["/bin/sh", "-c", f"{_PREPARE}{descriptors}{start}", tree, *arguments])


def check_user_namespace(arguments: Sequence[str], tree: str) -> None:
    """Raises RunnerError if a container with these options cannot have its user namespace. `tree`: the tree, or a directory on its file system."""
    if _NO_NAMESPACE not in arguments:
        binds = [argument.partition("=")[2] for argument in arguments if argument.startswith("--bind") and argument.endswith(":idmap")]
        if found := obstacle(tree, [bind_source(bind) for bind in binds]):
            raise RunnerError(found, REMEDY)


def proxy_environment(proxy: str | None) -> dict[str, str]:
    """The variables by which programs find a proxy; none without a proxy. Some programs know the names in small letters alone, some in capitals."""
    if not proxy:
        return {}
    values = {"http_proxy": proxy, "https_proxy": proxy, "no_proxy": "localhost,127.0.0.1,::1"}
    return {**values, **{name.upper(): value for name, value in values.items()}}


def container_lines(variables: Mapping[str, Any]) -> list[str]:
    """The lines of the options file for these variables of an image: arguments of systemd-nspawn, and NAME=VALUE for the environment."""
    if proxy := variables.get("nspawn_runner_proxy"):
        environment = {**proxy_environment(proxy), **(variables.get("nspawn_runner_environment") or {})}
        variables = {**variables, "nspawn_runner_environment": environment}
    seen: set[tuple[str, str]] = set()
    lines = []
    for entry in VARIABLE_FLAGS:
        if variables.get(entry["needs"]) is False:
            continue
        for value in _values(variables.get(entry["variable"]), entry["when"]):
            match = re.fullmatch(entry["pattern"] or "(.*)", value)
            # Each value takes the first flag whose pattern matches.
            if match and (entry["variable"], value) not in seen:
                seen.add((entry["variable"], value))
                lines.append(entry["flag"].replace("{value}", match.group(1)))
    return lines


def _values(value: Any, when: Any) -> Iterator[str]:
    if when is not None:
        if value == when:
            yield str(value)
    elif isinstance(value, Mapping):
        yield from (f"{name}={content}" for name, content in value.items())
    elif value is not None:
        yield from value


def write_container_file(state: str, variables: Mapping[str, Any]) -> None:
    """Replaces the options file in the state directory. A container that starts meanwhile reads the old options or the new ones."""
    files.write_text(os.path.join(state, CONTAINER_FILE), "".join(f"{line}\n" for line in container_lines(variables)))


def read_container_file(state: str) -> tuple[list[str], dict[str, str]]:
    """systemd-nspawn's arguments and environment from the options file in the state directory; both empty without a file.

    The container's own environment is one variable of systemd-nspawn's: its values are secrets, and may have the names of systemd's variables.
    Raises RunnerError for a file that others than root can write.
    """
    path = os.path.join(state, CONTAINER_FILE)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return [], {}
    except OSError as problem:
        raise system_error(problem, f"{path} cannot be read") from problem
    # Other characters that Python calls line breaks, such as U+2028, are part of a value.
    with open(descriptor, encoding="utf-8", newline="\n") as file:
        status = os.fstat(descriptor)
        # The options give files and capabilities of the host to the container.
        if not stat.S_ISREG(status.st_mode) or status.st_uid != 0 or status.st_mode & 0o022:
            raise RunnerError(f"{path} is not a file that only root can write", "remove it, and run the maintenance of this image, which writes it again")
        lines = file.read().split("\n")
    assignments = [line.partition("=") for line in lines if re.match("SYSTEMD_[A-Z0-9_]*=", line)]
    environment = {name: value for name, _equals, value in assignments}
    values = [line.partition("=")[2] for line in lines if line.startswith(_ENVIRONMENT_FLAG)]
    if values:
        environment[_ENVIRONMENT_VARIABLE] = "\n".join(values)
    return [line for line in lines if line.startswith("-") and not line.startswith(_ENVIRONMENT_FLAG)], environment


def host_name(name: str) -> str:
    """A container's host name for an image: systemd-nspawn refuses some names that images can have."""
    plain = re.sub(r"\.+", ".", re.sub("[^A-Za-z0-9.-]", "-", name)).lstrip(".-")
    return plain[:64].rstrip(".-") or "image"
