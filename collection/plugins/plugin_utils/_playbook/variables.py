# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the variables that the user set for an image, read without facts and checked. Names can change at any time.

from __future__ import annotations

import grp
import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.loader import connection_loader
from ansible.template import Templar

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._host.user_namespace import bind_source
from ansible_collections.nspawn.runner.plugins.module_utils._host.writable import way
from ansible_collections.nspawn.runner.plugins.module_utils._spec.job_settings import JOB_PREFIX
from ansible_collections.nspawn.runner.plugins.module_utils._spec.layout import VARIABLE_PREFIX
from ansible_collections.nspawn.runner.plugins.module_utils._spec.variables import CREATION, DERIVED, MAXIMUM, MINIMUM, PATTERNS, VARIABLES
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.hosts import CONNECTIONS, Image
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.install import install_remedy
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.origin import where
from ansible_collections.nspawn.runner.plugins.plugin_utils._playbook.playbook import nearest_hint

# In an error of Ansible about a secret: no password was given, or a wrong one.
NO_VAULT_PASSWORD = r"no vault secrets|Decryption failed"
VAULT_REMEDY = "give --vault-password-file FILE, or write vault_password_file = FILE into [defaults] of ansible.cfg"
# Options of a creation, of which one at least says how the tree is filled.
SOURCES = ("suite", "command", "tarball")
# Characters of Ansible's own message about a template.
_MOST_TEXT = 300
_CAPABILITY = re.compile(r"CAP_[A-Z_]+")
_ENVIRONMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# A shell in the container exports the environment: bash or dash fails at these, or gives them other values.
_SHELL_VARIABLES = frozenset(
    ["BASHOPTS", "BASH_VERSINFO", "DIRSTACK", "EUID", "FUNCNAME", "GROUPS", "LINENO", "OPTIND", "PPID", "RANDOM", "SECONDS", "SHELLOPTS", "UID", "_"]
)


def check_names(image: Image, host: Any, variables: Mapping[str, Any]) -> None:
    """Refuses unknown variables, and variables that the inventory plugin alone sets."""
    listed = host.get_vars()
    for name in sorted(name for name in variables if name.startswith(VARIABLE_PREFIX)):
        if name in DERIVED:
            if name not in listed or (variables[name] is not listed[name] and variables[name] != listed[name]):
                raise RunnerError(f"{name} is set by the collection and cannot be set{where(variables[name])}", "remove it")
        elif name not in VARIABLES:
            raise RunnerError(f"unknown variable {name} of image {image.name}{where(variables[name])}{nearest_hint(name)}")


def check_connection(image: Image, variables: Mapping[str, Any]) -> None:
    """Refuses a connection plugin that is not installed, or that would run the image's tasks outside of its tree: `local`, for example."""
    value = variables.get("ansible_connection", "ssh")
    found = connection_loader.find_plugin_with_context(str(value))
    if (found.resolved_fqcn if found.resolved else value) not in CONNECTIONS:
        reason = f"since ansible_connection is {value}{where(value)}"
        raise RunnerError(f"the tasks of image {image.name} would run outside of its tree, {reason}", f"use {' or '.join(CONNECTIONS)}")
    if not found.resolved:
        raise RunnerError(f"the connection plugin {value} of image {image.name} is not installed", install_remedy(str(value)))


def read_settings(image: Image, variables: Mapping[str, Any], extra: Mapping[str, Any], tree: str, loader: Any) -> dict[str, Any]:
    """The image's variables, rendered, converted and checked. `tree`: the value of {{ nspawn_runner_tree }}.

    A template has the same value as in the run of the playbook: the play's other variables and the playbook's directory are known.
    """
    directory = os.path.dirname(image.playbook)
    places = {"playbook_dir": directory, "ansible_search_path": [directory], f"{VARIABLE_PREFIX}tree": tree}
    templar = Templar(loader=loader, variables={**variables, **_play_vars(image.playbook, loader), **extra, **places})
    given = {name: variables[name] for name in VARIABLES if name in variables}
    values = {name: _templated(templar, image, name, value) for name, value in given.items()}
    values = {name: value for name, value in values.items() if value is not None}
    for name, value in values.items():
        # One variable at a time, so that the message can name the file and line of its value.
        try:
            problem = _problem(name, value)
        except AnsibleError as exc:  # Before ansible-core 2.19, a secret is decrypted here.
            raise _unknown(image, name, given[name], exc) from exc
        if problem:
            raise RunnerError(f"{name}{where(given[name]) or _of(image)}: {problem}")
    checked = ArgumentSpecValidator(VARIABLES).validate(values)
    if checked.error_messages:
        raise RunnerError(f"image {image.name}: {checked.error_messages[0]}")
    _refuse_lone_checksum(image, checked.validated_parameters, given)
    _refuse_sized_snapshot(image, checked.validated_parameters, given)
    return _absolute(checked.validated_parameters, VARIABLES, directory)


def _absolute(values: Mapping[str, Any], specs: Mapping[str, Any], directory: str) -> dict[str, Any]:
    """The values, with paths that begin at the directory."""
    absolute = dict(values)
    for name, spec in specs.items():
        value = values.get(name)
        if value and spec["type"] == "path":
            absolute[name] = os.path.join(directory, value)
        elif value and "options" in spec:
            absolute[name] = [_absolute(element, spec["options"], directory) for element in value]
    return absolute


def _refuse_lone_checksum(image: Image, settings: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    checksum = f"{VARIABLE_PREFIX}tarball_checksum"
    if settings.get(checksum) and not settings.get(f"{VARIABLE_PREFIX}tarball"):
        found = f"{checksum}{where(given[checksum]) or _of(image)} is set, and {VARIABLE_PREFIX}tarball is not"
        raise RunnerError(found, f"set {VARIABLE_PREFIX}tarball, or remove {checksum}")


def _refuse_sized_snapshot(image: Image, settings: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    disk, storage = f"{JOB_PREFIX}disk", f"{JOB_PREFIX}storage"
    if settings.get(disk) and settings.get(storage) == "snapshot":
        found = f"{disk}{where(given[disk]) or _of(image)} is set, and a snapshot of btrfs has no limit of its size"
        raise RunnerError(found, f"remove {disk}, or set {storage}: overlay")


def creation_options(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The options of nspawn.runner.chroot that the image's variables set."""
    return {option: settings[variable] for option, variable in CREATION.items() if settings.get(variable) is not None}


def _play_vars(playbook: str, loader: Any) -> dict[str, Any]:
    """Variables of the first play, without this collection's: the host has these already."""
    try:
        try:
            plays = loader.load_from_file(playbook, trusted_as_template=True)
        except TypeError:  # before ansible-core 2.19
            plays = loader.load_from_file(playbook)
    except AnsibleError:
        return {}  # The image's own run reports the error.
    play = plays[0] if isinstance(plays, list) and plays else None
    given = play.get("vars") if isinstance(play, Mapping) else None
    return {name: value for name, value in given.items() if not str(name).startswith(VARIABLE_PREFIX)} if isinstance(given, Mapping) else {}


def _templated(templar: Templar, image: Image, name: str, value: Any) -> Any:
    try:
        return templar.template(value)
    # A filter or a lookup can raise any exception.
    except Exception as exc:
        raise _unknown(image, name, value, exc) from exc


def _unknown(image: Image, name: str, value: Any, problem: Exception) -> RunnerError:
    """The error for a template that fails, or for a secret that no password opens."""
    reason = _rendering_problem(problem).rstrip(".")
    remedy = VAULT_REMEDY if re.search(NO_VAULT_PASSWORD, reason) else ""
    return RunnerError(f"{name}{where(value) or _of(image)} cannot be rendered: {reason}", remedy)


def _rendering_problem(problem: Exception) -> str:
    # Before 2.19, each level of nested templates quotes the error of the next one; later versions chain the errors.
    text = " ".join(str(getattr(problem, "message", None) or problem).rpartition("original message: ")[2].split())
    if isinstance(problem, RecursionError) or re.search("recursive loop|maximum recursion depth", text, re.IGNORECASE):
        return "the value contains itself, or its templates name each other in a circle"
    return text if len(text) <= _MOST_TEXT else f"{text[:_MOST_TEXT]}..."


def _problem(name: str, value: Any) -> str | None:
    """The reason why this variable cannot have this value."""
    checked = ArgumentSpecValidator({name: VARIABLES[name]}).validate({name: value})
    if "options" in VARIABLES[name] and isinstance(value, list) and all(isinstance(element, Mapping) for element in value):
        return _element_problem(VARIABLES[name]["options"], value)
    if checked.error_messages or not _has_type(name, value):
        return _plain(VARIABLES[name], value)
    value = checked.validated_parameters[name]
    if name in MINIMUM and value < MINIMUM[name]:
        return f"must be {MINIMUM[name]} or more, not {value}"
    if name in MAXIMUM and value > MAXIMUM[name]:
        return f"must be {MAXIMUM[name]} or less, not {value}"
    if name in PATTERNS and not re.fullmatch(PATTERNS[name][0], str(value)):
        return f"must be {PATTERNS[name][1]}, not {_shown(value)}"
    check = _CHECKS.get(name)
    return check(value) if check else None


def _has_type(name: str, value: Any) -> bool:
    """Whether the value's YAML type fits: Ansible makes a string of any value, and a number of `true`."""
    spec = VARIABLES[name]
    if spec.get("elements") == "str" and isinstance(value, list):
        return all(map(_is_text, value))
    return _is_text(value) if spec["type"] in ("str", "path") else not (spec["type"] in ("int", "float") and isinstance(value, bool))


def _is_text(value: Any) -> bool:
    # 12 is the text "12", but 12.10 would become "12.1", and yes "True". A value of a vault is no str before ansible-core 2.19.
    return isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)) or hasattr(value, "__ENCRYPTED__")


def _element_problem(specs: Mapping[str, Any], elements: Sequence[Mapping[str, Any]]) -> str | None:
    """The reason why a list of mappings cannot be the value."""
    for number, element in enumerate(elements, 1):
        for key, value in element.items():
            if key not in specs:
                return f"element {number} has an unknown key {key}: use {', '.join(specs)}"
            checked = ArgumentSpecValidator({key: specs[key]}).validate({key: value})
            if value is not None and (checked.error_messages or (specs[key]["type"] == "str" and isinstance(value, (list, dict)))):
                return f"{key} of element {number} {_plain(specs[key], value)}"
        for key, spec in specs.items():
            if spec.get("required") and not element.get(key):
                return f"element {number} has no {key}"
    return None


def _plain(spec: Mapping[str, Any], value: Any) -> str:
    """The reason in terms of YAML. Ansible's own messages name Python classes."""
    shown = _shown(value)
    if "choices" in spec:
        return f"must be one of {', '.join(spec['choices'])}, not {shown}"
    kinds = {
        "str": "a string",
        "path": "a path",
        "list": "a list",
        "dict": "a mapping",
        "bool": "true or false",
        "int": "a whole number",
        "float": "a number",
    }
    elements = {"str": " of strings", "dict": " of mappings"}.get(spec.get("elements", ""), "")
    quotes = "" if elements or isinstance(value, (str, list, dict)) or spec["type"] not in ("str", "path") else ": write it in quotes"
    return f"must be {kinds[spec['type']]}{elements}, not {shown}{quotes}"


def _shown(value: Any) -> str:
    return repr(value) if len(repr(value)) <= 80 else f"{repr(value)[:77]}..."


def _bind_problem(binds: list[str]) -> str | None:
    writable: list[str] = []
    for bind in binds:
        # systemd-nspawn reads "\:" as a colon of the path.
        parts = re.split(r"(?<!\\):", bind)
        paths = parts[:-1] if len(parts) == 3 else parts
        if len(parts) > 3 or (len(parts) == 3 and parts[2] != "ro") or not all(path.startswith("/") for path in paths):
            return f"'{bind}' is not SOURCE, SOURCE:TARGET or SOURCE:TARGET:ro with absolute paths"
        if os.path.normpath(parts[1] if len(parts) > 1 and parts[1] != "ro" else parts[0]) in ("/", "//"):
            return f"'{bind}' would cover the whole tree, since its target is /"
        if _breaks_line(bind):
            return f"{bind!r} holds a control character"
        if not os.path.exists(bind_source(bind)):
            return f"'{parts[0]}' does not exist on this host"
        if len(parts) < 3:
            writable.append(os.path.realpath(bind_source(bind)))
    for bind in binds:
        # In a writable bind, a container can put a link in the place of each file. systemd-nspawn follows links on the host.
        steps = [path for path, _status in way(bind_source(bind))]
        for upper in writable:
            if any(step != upper and step.startswith(os.path.join(upper, "")) for step in steps):
                return f"'{bind}' is beneath '{upper}', where a container could put a link to any file of this host in its place: bind one of the two"
    return None


def _environment_problem(environment: Mapping[str, Any]) -> str | None:
    for name, value in environment.items():
        if not isinstance(name, str) or not _ENVIRONMENT_NAME.fullmatch(name):
            return f"'{name}' is not a name for an environment variable"
        if name in _SHELL_VARIABLES:
            return f"{name} is a variable that a shell sets itself"
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            return f"the value of {name} must be a string in quotes"
        if _breaks_line(str(value)):
            return f"the value of {name} holds a line break or another control character"
    return None


def _capability_problem(capabilities: list[str]) -> str | None:
    for capability in capabilities:
        if not _CAPABILITY.fullmatch(capability):
            return f"'{capability}' is not a capability such as CAP_NET_ADMIN"
        if capability == "CAP_MKNOD":
            return "CAP_MKNOD is never given: a container that makes device nodes can write the host's disks"
    return None


def _ignored_problem(paths: list[str]) -> str | None:
    for path in paths:
        if path == "/":
            return "'/' is the whole tree: no maintenance would publish anything"
        if not path.startswith("/") or path.startswith("//") or os.path.normpath(path) != path:
            return f"'{path}' is not an absolute path in the image, without . and .. and without a / at its end"
        if "*" in path or "?" in path:
            return f"'{path}' is a pattern, and only plain paths are possible"
        if _breaks_line(path):
            return f"{path!r} holds a control character"
    return None


def _group_problem(group: str) -> str | None:
    try:
        grp.getgrnam(group)
    except KeyError:
        return f"this host has no group '{group}'"
    return None


def _cpus_problem(cpus: float) -> str | None:
    # A NaN is neither above nor below.
    return None if 0.01 <= cpus <= 100000 else f"must be 0.01 or more, such as 0.5 or 2, not {cpus}"


def _disk_problem(disk: str) -> str | None:
    # A file system of a size, with room for a job.
    small = (disk[-1] == "K" and int(disk[:-1]) < 16 << 10) or (disk[-1] == "M" and int(disk[:-1]) < 16)
    return f"must be 16M or more, not {disk}" if small else None


def _proxy_problem(proxy: str) -> str | None:
    if not re.fullmatch(r"(?:https?|socks[45]?h?)://[^\s/]+/?", proxy):
        return "must be the URL of a proxy, such as http://proxy.example.org:3128"
    return None


_CHECKS: Mapping[str, Callable[[Any], str | None]] = {
    f"{VARIABLE_PREFIX}ignored_paths": _ignored_problem,
    f"{VARIABLE_PREFIX}binds": _bind_problem,
    f"{VARIABLE_PREFIX}environment": _environment_problem,
    f"{VARIABLE_PREFIX}capabilities": _capability_problem,
    f"{VARIABLE_PREFIX}state_group": _group_problem,
    f"{VARIABLE_PREFIX}proxy": _proxy_problem,
    f"{JOB_PREFIX}binds": _bind_problem,
    f"{JOB_PREFIX}environment": _environment_problem,
    f"{JOB_PREFIX}capabilities": _capability_problem,
    f"{JOB_PREFIX}cpus": _cpus_problem,
    f"{JOB_PREFIX}disk": _disk_problem,
}


def _breaks_line(text: str) -> bool:
    """The wrapper reads one argument per line of a file."""
    return any(character in text for character in "\n\r\0")


def _of(image: Image) -> str:
    return f" of image {image.name} ({image.playbook})"
