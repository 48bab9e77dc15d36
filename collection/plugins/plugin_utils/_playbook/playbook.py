# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: reads an image's variables from the first play of its playbook. Names can change at any time.

from __future__ import annotations

import difflib
import os
import stat
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from ansible.errors import AnsibleError
from yaml import MappingNode, Node, SequenceNode, YAMLError

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._spec.layout import VARIABLE_PREFIX
from ansible_collections.nspawn.runner.plugins.module_utils._spec.variables import DERIVED, VARIABLES
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.trust import unsafe, user_yaml
from ansible_collections.nspawn.runner.plugins.plugin_utils._playbook import without_effect

_LIMIT = 1 << 20
_NULL = "tag:yaml.org,2002:null"
_MERGE = "tag:yaml.org,2002:merge"


class Playbook(NamedTuple):
    """A file that counts as an image's playbook. One with an error has no variables."""

    path: str
    variables: dict[str, Any]
    error: str | None = None


# Playbooks, and sentences about variables in them that have no effect.
_cache: dict[tuple[Any, ...], tuple[Playbook | None, list[str]]] = {}


def read_playbook(path: str, loader: Any, has_tree: bool, warn: Callable[[str], Any]) -> Playbook | None:
    """The image's playbook at `path`, read again only when the file changes. None when there is no file, or when it counts for no image.

    A file counts when its image has a tree, or when the `vars` of its first play have a variable of this collection.
    """
    try:
        status = os.stat(path)
    except OSError as exc:
        missing = isinstance(exc, FileNotFoundError) and not os.path.islink(path)
        return None if missing else Playbook(path, {}, unsafe(str(_bad(path, f"cannot be read: {exc.strerror}"))))
    key = (path, status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size, has_tree)
    if key not in _cache:
        warnings: list[str] = []
        try:
            variables = _variables(path, loader, has_tree, warnings)
            _cache[key] = (None if variables is None else Playbook(path, variables), warnings)
        except RunnerError as problem:
            _cache[key] = (Playbook(path, {}, unsafe(str(problem))), warnings)
    playbook, warnings = _cache[key]
    for warning in warnings:
        warn(warning)
    return playbook


def _variables(path: str, loader: Any, has_tree: bool, warnings: list[str]) -> dict[str, Any] | None:
    content = _content(path)
    if content is None:
        if has_tree:
            raise _bad(path, "is not a regular file")
        return None
    # A file without the prefix is not parsed, so errors in files for other programs are not reported.
    if not has_tree and VARIABLE_PREFIX.encode() not in content:
        return None
    if len(content) > _LIMIT:
        raise _bad(path, f"is larger than {_LIMIT >> 20} MiB")
    if content.startswith(b"$ANSIBLE_VAULT;"):  # An encrypted playbook is for ansible-playbook alone.
        return {}
    yaml = user_yaml(_text(path, content), path, loader)
    try:
        document = yaml.get_single_node()
        node = _first_vars(path, document, has_tree)
        if node is None:
            warnings += without_effect.in_playbook(path, document, None) if has_tree else without_effect.in_later_plays(path, document)
            return {} if has_tree else None
        # Only this collection's variables are constructed. A merge key `<<` can bring in some, too.
        pairs = [pair for pair in node.value if pair[0].tag == _MERGE or str(pair[0].value).startswith(VARIABLE_PREFIX)]
        for name, value in pairs:
            if _contains_itself(value):
                raise _bad(path, f"the value of {name.value} contains itself", name.start_mark.line + 1, "remove the alias in it")
        constructed = yaml.construct_document(MappingNode(node.tag, pairs, node.start_mark, node.end_mark))
    except YAMLError as exc:
        raise _bad(path, f"is not valid YAML: {_problem(exc)}", _error_line(exc, content)) from exc
    except (AnsibleError, TypeError, ValueError, RecursionError) as exc:
        raise _bad(path, f"the vars of its first play cannot be read: {exc}") from exc
    variables = {key: value for key, value in constructed.items() if str(key).startswith(VARIABLE_PREFIX)}
    if not variables and not has_tree:
        warnings += without_effect.in_later_plays(path, document)
        return None
    warnings += without_effect.in_playbook(path, document, node)
    _check(path, variables, node)
    return variables


def _content(path: str) -> bytes | None:
    """The file's content, up to one byte more than the limit; None when the file is not regular. Never waits for a FIFO."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb", buffering=0) as file:
            return file.read(_LIMIT + 1) if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else None
    except IsADirectoryError:
        return None
    except OSError as exc:
        raise _bad(path, f"cannot be read: {exc.strerror}") from exc


def _text(path: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise _bad(path, "is not UTF-8", content.count(b"\n", 0, exc.start) + 1) from exc


def _first_vars(path: str, document: Node | None, has_tree: bool) -> MappingNode | None:
    if document is None or document.tag == _NULL or (isinstance(document, SequenceNode) and not document.value):
        raise _bad(path, "is empty", remedy="write a list of plays")
    play = document.value[0] if isinstance(document, SequenceNode) else document
    node = _value(play, "vars") if isinstance(play, MappingNode) else None
    # Another file with this collection's names in it, such as a file of variables, is no playbook.
    meant = has_tree or (isinstance(node, MappingNode) and any(str(key.value).startswith(VARIABLE_PREFIX) for key, _value in node.value))
    if not isinstance(document, SequenceNode) and meant:
        raise _bad(path, "is not a list of plays", document.start_mark.line + 1)
    if not isinstance(play, MappingNode) and meant:
        raise _bad(path, "its first entry is not a play", play.start_mark.line + 1)
    if node is None or node.tag == _NULL or not isinstance(document, SequenceNode):
        return None
    if not isinstance(node, MappingNode):
        raise _bad(path, "the vars of its first play are not a mapping", node.start_mark.line + 1)
    return node


def _contains_itself(node: Node) -> bool:
    """Whether an alias in a value names a part of the value that the alias is in."""
    open_nodes: set[int] = set()
    done: set[int] = set()
    work = [(node, False)]
    while work:
        here, leaves = work.pop()
        if leaves:
            open_nodes.remove(id(here))
            done.add(id(here))
        elif id(here) in open_nodes:
            return True
        elif id(here) not in done and isinstance(here, (MappingNode, SequenceNode)):
            open_nodes.add(id(here))
            work.append((here, True))
            children = [part for pair in here.value for part in pair] if isinstance(here, MappingNode) else here.value
            work += [(child, False) for child in children]
    return False


def _value(mapping: MappingNode, name: str) -> Node | None:
    # Of a key that is given twice Ansible takes the last value.
    return next((value for key, value in reversed(mapping.value) if key.value == name), None)


def _check(path: str, variables: dict[str, Any], node: MappingNode) -> None:
    lines = {str(key.value): key.start_mark.line + 1 for key, _value in node.value}
    problems: list[RunnerError] = []
    for name in variables:
        line = lines.get(name, node.start_mark.line + 1)
        if name in DERIVED:
            problems.append(_bad(path, f"{name} is set by the collection and cannot be set here", line, remedy="remove it"))
        elif name not in VARIABLES:
            problems.append(_bad(path, f"unknown variable {name}{nearest_hint(name)}", line))
    if problems:
        raise RunnerError("; ".join(map(str, problems)))


def nearest_hint(name: str, more: Iterable[str] = ()) -> str:
    """The nearest known name, as the end of a message about an unknown variable; empty where no name is near. `more`: further known names."""
    # Names are compared without the prefix, which would make all of them similar.
    known = [variable.removeprefix(VARIABLE_PREFIX) for variable in (*VARIABLES, *more)]
    near = difflib.get_close_matches(name.removeprefix(VARIABLE_PREFIX), known, 1, 0.5)
    return f"; the nearest known one is {VARIABLE_PREFIX}{near[0]}" if near else ""


def _problem(exc: YAMLError) -> str:
    messages = [text for text in (getattr(exc, "context", None), getattr(exc, "problem", None), getattr(exc, "reason", None)) if text]
    return ", ".join(messages) or str(exc)


def _error_line(exc: YAMLError, content: bytes) -> int | None:
    if mark := getattr(exc, "problem_mark", None):
        return mark.line + 1
    position = getattr(exc, "position", None)  # The offset of a character that YAML does not allow.
    return None if position is None else content.count(b"\n", 0, position) + 1


def _bad(path: str, problem: str, line: int | None = None, remedy: str = "") -> RunnerError:
    return RunnerError(f"{path}:{line}: {problem}" if line else f"{path}: {problem}", remedy)
