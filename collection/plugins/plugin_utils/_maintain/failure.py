# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the reason of a failed task, from its result. The tree can have chosen all text of a result. Names can change at any time.

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.nspawn.runner.plugins.module_utils._host.text import visible, visible_line

# Characters of a message. Of a longer one, the beginning and the end are kept: some modules quote all output before the error.
_MESSAGE = 500
_MESSAGE_END = 300
# Characters of the end of a stream, in which the lines are searched.
_STREAM = 1 << 16
# Lines of output beside the message.
LINES = 5
# Characters of the name of a loop's item, and of a condition.
_SHORT = 100
# Messages of Ansible that only report that a program or a module failed.
_EMPTY = re.compile(r"(non-zero return code|MODULE FAILURE\b.*|Assertion failed|One or more items failed|Failed as requested from task)?", re.DOTALL)
# Explanations that Ansible adds after an error, with lines of the playbook.
_EXPLANATION = re.compile(r"\n+(?:The error appears to |We could be wrong|Origin: |<<< caused by >>>)")
_UNDEFINED = "The task includes an option with an undefined variable. The error was: "
# Lines after an error that only say that there was one, or that are about another subject.
_GENERAL = re.compile(
    r"E: (?:Sub-process |Unable to fetch some archives|Some index files failed)|Errors were encountered while processing"
    r"|W: |warning: |\[notice\]|WARNING: Running pip as",
    re.IGNORECASE,
)
_HIDDEN = "the output is hidden by no_log"


def failure(result: Any) -> dict[str, Any]:
    """A failed result of a callback as `task`, `msg`, `path` (file and line of the task; empty if unknown) and `lines` (of the output), all visible."""
    values = getattr(result, "result", None) or result._result  # 2.19 and later, before
    task = result._task
    msg, lines = _reason(values, task)
    get_path = getattr(task, "get_path", None)
    return {"task": sentence(result.task_name), "msg": msg, "path": sentence(get_path() or "") if get_path else "", "lines": lines}


def sentence(text: str) -> str:
    """Text as one line, of limited length."""
    words = " ".join(text.split())
    if len(words) > _MESSAGE:
        words = f"{words[: _MESSAGE - _MESSAGE_END - 5]} ... {words[-_MESSAGE_END:]}"
    return visible(words)


def rescued(task: Any) -> bool:
    """Whether the task is in the part `block` of a block with `rescue`, so that its failure ends nothing."""
    here = task
    while (above := getattr(here, "_parent", None)) is not None:
        # Copies of a task, which the strategy runs, have the task's id.
        if getattr(above, "rescue", None) and here._uuid in {entry._uuid for entry in above.block}:
            return True
        here = above
    return False


def _reason(values: Mapping[str, Any], task: Any) -> tuple[str, list[str]]:
    """The message, and the last lines of the output where these say more."""
    if "censored" in values or values.get("_ansible_no_log") or getattr(task, "no_log", False):
        return _HIDDEN, []
    items = [item for item in values.get("results") or () if isinstance(item, Mapping) and (item.get("failed") or item.get("unreachable"))]
    if items:
        # A failure of an item that no_log hides hides the item too.
        message, lines = _reason(items[0], task)
        more = f" (and {len(items) - 1} more item{'s' * (len(items) > 2)})" if len(items) > 1 else ""
        return message if message == _HIDDEN else f"{_item(items[0])}: {message}{more}", lines
    message, lines = _message(values, task)
    if isinstance(values.get("attempts"), int) and values["attempts"] > 1:
        message = f"{message} (after {values['attempts']} attempts)"
    includes = list(_included_items(task))
    return ": ".join([*includes, message]), lines


def _message(values: Mapping[str, Any], task: Any) -> tuple[str, list[str]]:
    text = _without_explanation(str(values.get("msg") or values.get("reason") or ""))
    # Without an answer of a module, the error is in a stream.
    for stream in ("module_stderr", "module_stdout"):
        if lines := _lines(values.get(stream)):
            return sentence(_telling(lines)), _last(lines)
    lines = _lines(values.get("stderr")) or _lines(values.get("stdout"))
    quoted = str(values.get("stderr") or "").strip()
    if _EMPTY.fullmatch(text) is None and not (quoted and "\n" in quoted and text.endswith(quoted)):
        # ansible-core 2.19 and later leave out the program and the reason.
        program = str(values.get("cmd", "")).split()[:1] if text == "Error executing command." else []
        message, lines = f"{_short(program[0])} cannot be executed" if program else sentence(text), []
    elif lines:
        message, lines = sentence(_telling(lines)), _last(lines)
    elif "assertion" in values:
        return f"the assertion is false: {_short(values['assertion'])}", []
    else:
        message = "no output" if "rc" in values else "no message"
    if "assertion" in values:
        return f"{message} (assertion: {_short(values['assertion'])})", []
    if values.get("failed_when_result") is True:
        condition = getattr(task, "failed_when", None) or [True]
        return f"{message} (failed_when: {_short(' and '.join(map(str, condition)))})", lines
    if isinstance(values.get("rc"), int) and values["rc"] != 0 and _EMPTY.fullmatch(text):
        message = f"{message} (exit status {values['rc']})"
    return message, lines


def _without_explanation(text: str) -> str:
    text = _EXPLANATION.split(text, 1)[0].strip().removeprefix("Task failed: ").removeprefix(_UNDEFINED)
    # Before 2.19 Ansible repeats the cause of an error: "'foo' is undefined. 'foo' is undefined".
    head, _point, tail = text.rpartition(". ")
    return head if tail and head.endswith(tail) else text


def _lines(stream: Any) -> list[str]:
    """The lines of a stream with a letter or a digit, visible."""
    lines = (visible_line(line.encode(errors="replace")).rstrip() for line in str(stream or "")[-_STREAM:].split("\n"))
    return [line for line in lines if any(map(str.isalnum, line))]


def _telling(lines: list[str]) -> str:
    """The line that says most: the last one, but a package's error before the summaries of dpkg and apt."""
    for line, following in zip(lines, [*lines[1:], ""]):
        if line.startswith("dpkg: error"):
            return f"{line} {following.strip()}" if line.endswith(":") else line
    return next((line for line in reversed(lines) if not _GENERAL.match(line.strip())), lines[-1])


def _last(lines: list[str]) -> list[str]:
    return lines[-LINES:] if len(lines) > 1 else []


def _item(item: Mapping[str, Any]) -> str:
    """The name of a loop's item, as `item NAME`."""
    value = item.get("_ansible_item_label", item.get(str(item.get("ansible_loop_var", "item"))))
    return f"item {_short(value['name'] if isinstance(value, Mapping) and 'name' in value else value)}"


def _included_items(task: Any) -> Iterator[str]:
    """The items of the includes in loops around the task, the outermost first."""
    names: list[str] = []
    above = getattr(task, "_parent", None)
    while above is not None:
        given = getattr(above, "vars", None)
        # Ansible adds this variable to each include that it has copied for an item.
        if isinstance(given, Mapping) and "_ansible_item_label" in given and not getattr(above, "no_log", False):
            names.insert(0, _item(given))
        above = getattr(above, "_parent", None)
    return iter(names)


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return visible(text if len(text) <= _SHORT else f"{text[: _SHORT - 3]}...")
