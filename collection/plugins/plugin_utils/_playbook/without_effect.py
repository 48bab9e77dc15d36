# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: variables of this collection in places where a maintenance does not read them. Names can change at any time.

from __future__ import annotations

import os
import re
import stat
from collections.abc import Container, Iterable, Iterator
from glob import escape, glob
from itertools import islice

from yaml import MappingNode, Node, SafeLoader, ScalarNode, SequenceNode, YAMLError, compose

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._spec.layout import VARIABLE_PREFIX

_LIMIT = 1 << 20
# Files of group_vars and host_vars that are read.
_MOST = 500
_INCLUDES = ("include_vars", "ansible.builtin.include_vars", "ansible.legacy.include_vars")
_MERGE = "tag:yaml.org,2002:merge"


def in_playbook(path: str, document: Node, first_vars: Node | None) -> Iterator[str]:
    """A sentence for each such variable in a playbook, outside of the `vars` of the first play, and in the files of `vars_files`."""
    seen = set(_merged(first_vars)) if first_vars else set()
    for node in _mappings(document, seen):
        for key, value in node.value:
            if str(key.value).startswith(VARIABLE_PREFIX):
                yield _sentence(path, key)
            elif key.value == "vars_files" or key.value in _INCLUDES:
                for file in _files(path, value):
                    yield from in_file(file)


def in_later_plays(path: str, document: Node) -> Iterator[str]:
    """A sentence about a file that counts for no image, although one of its later plays has such a variable."""
    plays = document.value[1:] if isinstance(document, SequenceNode) else []
    given = (value for play in plays if isinstance(play, MappingNode) for key, value in play.value if key.value == "vars")
    for mapping in given:
        for key, _value in mapping.value if isinstance(mapping, MappingNode) else ():
            if str(key.value).startswith(VARIABLE_PREFIX):
                found = f"{path}:{key.start_mark.line + 1}: {key.value} is not in the vars of the first play, so this file is the playbook of no image"
                yield str(RunnerError(found, "move it to the first play"))


def beside(directory: str, loaded: Container[str]) -> Iterator[str]:
    """A sentence for each such variable in group_vars and host_vars beside the playbooks in `directory`.

    `loaded`: the directories beside which Ansible reads such files for a maintenance.
    """
    if directory in loaded:
        return
    for path in islice(_below(os.path.join(directory, name) for name in ("group_vars", "host_vars")), _MOST):
        yield from in_file(path)


def in_file(path: str) -> Iterator[str]:
    """A sentence for each such variable in a file of variables. Ansible itself reports a file that cannot be read."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb", buffering=0) as file:
            content = file.read(_LIMIT) if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else b""
        document = compose(content.decode("utf-8-sig"), SafeLoader) if VARIABLE_PREFIX.encode() in content else None
    except (OSError, YAMLError, UnicodeDecodeError, RecursionError):
        return
    for key, _value in document.value if isinstance(document, MappingNode) else ():
        if str(key.value).startswith(VARIABLE_PREFIX):
            yield _sentence(path, key)


def _sentence(path: str, key: Node) -> str:
    found = f"{path}:{key.start_mark.line + 1}: {key.value} has no effect here"
    return str(RunnerError(found, "set it in the vars of the first play of the image's playbook, or in group_vars or host_vars beside the inventory file"))


def _mappings(node: Node, seen: set[int]) -> Iterator[MappingNode]:
    """All mappings of a document. An anchor can make a node a part of itself."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, MappingNode):
        yield node
        for _key, value in node.value:
            yield from _mappings(value, seen)
    elif isinstance(node, SequenceNode):
        for value in node.value:
            yield from _mappings(value, seen)


def _merged(node: Node) -> Iterator[int]:
    """Ids of a mapping, and of the mappings that merge keys `<<` bring in."""
    yield id(node)
    for key, value in node.value if isinstance(node, MappingNode) else ():
        if key.tag == _MERGE:
            for merged in value.value if isinstance(value, SequenceNode) else [value]:
                yield from _merged(merged)


def _files(playbook: str, node: Node, depth: int = 3) -> Iterator[str]:
    """Files that `vars_files` or include_vars name: text, a list of these, or a mapping with `file`. A template matches any text."""
    if depth == 0:
        return
    if isinstance(node, SequenceNode):
        for entry in node.value:
            yield from _files(playbook, entry, depth - 1)
    elif isinstance(node, MappingNode):
        for key, value in node.value:
            if key.value == "file":
                yield from _files(playbook, value, depth - 1)
    elif isinstance(node, ScalarNode) and node.value:
        directory = os.path.dirname(playbook)
        pattern = "*".join(escape(part) for part in re.split(r"{{.*?}}", node.value))
        found = (path for parent in (directory, os.path.join(directory, "vars")) for path in sorted(glob(os.path.join(escape(parent), pattern))))
        yield from islice(dict.fromkeys(map(os.path.normpath, found)), _MOST)


def _below(directories: Iterable[str]) -> Iterator[str]:
    for directory in directories:
        for path, children, files in os.walk(directory):
            children.sort()
            yield from (os.path.join(path, name) for name in sorted(files) if not name.startswith("."))
