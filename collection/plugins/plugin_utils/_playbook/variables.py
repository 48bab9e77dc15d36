# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: what the user set for an image, read without its facts and checked. Names can change at any time.

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from multiprocessing import current_process
from typing import Any, NamedTuple

from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.template import Templar

from ansible_collections.nspawn.runner.plugins.module_utils._layout import VARIABLE_PREFIX
from ansible_collections.nspawn.runner.plugins.module_utils._variables import DERIVED, MINIMUM, VARIABLES
from ansible_collections.nspawn.runner.plugins.plugin_utils import _playbook

try:  # ansible-core 2.19 and later
    from ansible._internal._datatag._tags import Origin
except ImportError:
    Origin = None

_CAPABILITY = re.compile(r"CAP_[A-Z_]+")
_ENVIRONMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class ImageError(Exception):
    """What the user has to know of one image, in one sentence."""


class Image(NamedTuple):
    """An image as the inventory plugin knows it: none of this is the user's or a fact's to change."""

    name: str
    root: str
    path: str
    playbook: str


def current_host() -> Any:
    """The host of this task. A fact can override `inventory_hostname`, so it is asked of Ansible's worker process itself."""
    host = getattr(current_process(), "_host", None)
    if host is None:
        raise ImageError("this version of ansible-core is not supported: its worker process does not tell the host")
    return host


def image_of(host: Any) -> Image | None:
    """The image that a host is, or None for a host of another kind. Reads only what the inventory set for this host itself."""
    own = host.get_vars()
    values = [own.get(f"{VARIABLE_PREFIX}{name}") for name in ("root", "path", "playbook")]
    return None if values[0] is None or values[1] is None else Image(host.name, *(str(value or "") for value in values))


def variables_without_facts(manager: Any, host: Any) -> dict[str, Any]:
    """A host's variables as the user wrote them: inventory, group_vars, host_vars, vars plugins and extra vars.

    Facts outrank all but the last of these, a tree can return any fact, and a fact cache keeps it for the next run. So the manager's
    caches are emptied first. Only for Ansible's worker processes, whose manager is a copy that no other task sees.
    Tried with ansible-core 2.14.18 and 2.19.11; the names of the caches are private to it, so a version without them is refused.
    """
    for cache in ("_fact_cache", "_nonpersistent_fact_cache"):
        if not hasattr(manager, cache):
            raise ImageError("this version of ansible-core is not supported: its variables cannot be read without facts")
        setattr(manager, cache, {host.name: {}})
    return manager.get_vars(host=host, include_hostvars=False)


def check_names(image: Image, host: Any, variables: Mapping[str, Any]) -> None:
    """Refuses a variable that nobody reads, and one that is not the user's to set."""
    own = host.get_vars()
    for name in sorted(name for name in variables if name.startswith(VARIABLE_PREFIX)):
        if name in DERIVED:
            if name not in own or (variables[name] is not own[name] and variables[name] != own[name]):
                raise ImageError(f"{name} is set by the collection and cannot be set{_where(variables[name])}: remove it")
        elif name not in VARIABLES:
            raise ImageError(f"unknown variable {name} of image {image.name}{_where(variables[name])}{_playbook.nearest_hint(name)}")


def settings(image: Image, variables: Mapping[str, Any], extra: Mapping[str, Any], tree: str, loader: Any) -> dict[str, Any]:
    """The image's own variables, templated, converted and checked. `tree` is what {{ nspawn_runner_tree }} stands for.

    A template means what it would mean in the playbook's own run: it sees the play's other variables and the playbook's directory.
    """
    beside = os.path.dirname(image.playbook)
    places = {"playbook_dir": beside, "ansible_search_path": [beside], f"{VARIABLE_PREFIX}tree": tree}
    templar = Templar(loader=loader, variables={**variables, **_play_vars(image.playbook, loader), **extra, **places})
    given = {name: variables[name] for name in VARIABLES if name in variables}
    values = {name: _templated(templar, name, value) for name, value in given.items()}
    values = {name: value for name, value in values.items() if value is not None}
    for name, value in values.items():
        # One at a time, so that the message can say where the value comes from.
        problem = _problem(name, value)
        if problem:
            raise ImageError(f"{name}{_where(given[name]) or _of(image)}: {problem}")
    checked = ArgumentSpecValidator(VARIABLES).validate(values)
    if checked.error_messages:
        raise ImageError(f"image {image.name}: {checked.error_messages[0]}")
    paths = (name for name, spec in VARIABLES.items() if spec["type"] == "path" and checked.validated_parameters.get(name))
    return {**checked.validated_parameters, **{name: os.path.join(beside, checked.validated_parameters[name]) for name in paths}}


def _play_vars(playbook: str, loader: Any) -> dict[str, Any]:
    """The variables of the first play that are not ours: those are the host's already."""
    try:
        plays = loader.load_from_file(playbook, trusted_as_template=True)
    except TypeError:  # before ansible-core 2.19
        plays = loader.load_from_file(playbook)
    except AnsibleError:
        return {}  # The image's own run says what is wrong.
    play = plays[0] if isinstance(plays, list) and plays else None
    given = play.get("vars") if isinstance(play, Mapping) else None
    return {name: value for name, value in given.items() if not str(name).startswith(VARIABLE_PREFIX)} if isinstance(given, Mapping) else {}


def _templated(templar: Templar, name: str, value: Any) -> Any:
    try:
        return templar.template(value)
    except AnsibleError as exc:
        raise ImageError(f"{name}{_where(value)} cannot be rendered: {' '.join(str(exc.message).split())}") from exc


def _problem(name: str, value: Any) -> str | None:
    """Why this value cannot be this variable's."""
    checked = ArgumentSpecValidator({name: VARIABLES[name]}).validate({name: value})
    nested = "elements" in VARIABLES[name] and isinstance(value, list) and any(isinstance(element, (list, dict)) for element in value)
    if checked.error_messages or nested:
        return _plain(name, value)
    value = checked.validated_parameters[name]
    if name in MINIMUM and value < MINIMUM[name]:
        return f"must be {MINIMUM[name]} or more, not {value}"
    check = _CHECKS.get(name)
    return check(value) if check else None


def _plain(name: str, value: Any) -> str:
    """Ansible's messages name Python classes; this says the same of YAML."""
    spec = VARIABLES[name]
    shown = repr(value) if len(repr(value)) <= 80 else f"{repr(value)[:77]}..."
    if "choices" in spec:
        return f"must be one of {', '.join(spec['choices'])}, not {shown}"
    kinds = {"str": "a string", "path": "a path", "list": "a list", "dict": "a mapping", "bool": "true or false", "int": "a whole number"}
    elements = " of strings" if spec.get("elements") == "str" else ""
    return f"must be {kinds[spec['type']]}{elements}, not {shown}"


def _bind_problem(binds: list[str]) -> str | None:
    for bind in binds:
        # systemd-nspawn reads "\:" as a colon of the path.
        parts = re.split(r"(?<!\\):", bind)
        paths = parts[:-1] if len(parts) == 3 else parts
        if len(parts) > 3 or (len(parts) == 3 and parts[2] != "ro") or not all(path.startswith("/") for path in paths):
            return f"'{bind}' is not SOURCE, SOURCE:TARGET or SOURCE:TARGET:ro with absolute paths"
        if _breaks_line(bind):
            return f"{bind!r} holds a control character"
        if not os.path.exists(parts[0].replace("\\:", ":")):
            return f"'{parts[0]}' does not exist on this host"
    return None


def _environment_problem(environment: Mapping[str, Any]) -> str | None:
    for name, value in environment.items():
        if not isinstance(name, str) or not _ENVIRONMENT_NAME.fullmatch(name):
            return f"'{name}' is not a name for an environment variable"
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            return f"the value of {name} must be a string: write it in quotes"
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


_CHECKS: Mapping[str, Callable[[Any], str | None]] = {
    f"{VARIABLE_PREFIX}binds": _bind_problem,
    f"{VARIABLE_PREFIX}environment": _environment_problem,
    f"{VARIABLE_PREFIX}capabilities": _capability_problem,
}


def _breaks_line(text: str) -> bool:
    """The wrapper reads a line per argument."""
    return any(character in text for character in "\n\r\0")


def _of(image: Image) -> str:
    return f" of image {image.name} ({image.playbook})"


def _where(value: Any) -> str:
    """Where a value was written, as far as Ansible kept it: 2.14 does for text, lists and mappings, 2.19 for all."""
    origin = Origin.get_tag(value) if Origin else None
    if origin and origin.path:
        return f" in {origin.path}:{origin.line_num}" if origin.line_num else f" in {origin.path}"
    file, line, _column = getattr(value, "ansible_pos", None) or (None, 0, 0)
    return f" in {file}:{line}" if file else ""
