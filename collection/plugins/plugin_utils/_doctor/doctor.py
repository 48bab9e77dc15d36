# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: all checks of the doctor, and the line for an error in a check. Names can change at any time.

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError, system_error
from ansible_collections.nspawn.runner.plugins.module_utils._host.text import visible_line
from ansible_collections.nspawn.runner.plugins.module_utils._spec import layout
from ansible_collections.nspawn.runner.plugins.plugin_utils._doctor import host, images, jobs, mirrors, playbooks
from ansible_collections.nspawn.runner.plugins.plugin_utils._doctor.check import PROBLEM, Check, Rows, Subject, error_row


def examine(subjects: Sequence[Subject], listed: bool, forks: int, files: Sequence[str], searched: playbooks.Searched) -> list[Check]:
    """All checks of this host and these images.

    `listed`: whether an inventory of the plugin was read; it may list no image. `files`: files and directories of the user, which root trusts.
    `searched`: the directories of playbooks.
    """
    roots = {subject.image.root for subject in subjects} or {os.environ.get("NSPAWN_RUNNER_ROOT") or layout.ROOT}
    checks: list[tuple[str, Callable[..., Rows], tuple[Any, ...]]] = [
        ("user", host.user, ()),
        ("ansible", host.ansible, ()),
        ("inventory", host.inventory, (subjects, listed)),
        ("playbooks", playbooks.misnamed, (searched,)),
        ("files", host.files, (files,)),
        ("systemd-nspawn", host.nspawn, ()),
        ("container", host.container, ()),
        ("connection", host.connection, (subjects,)),
        ("facts", host.facts, ()),
        ("bootstrap", host.tools, ()),
        ("clock", host.clock, ()),
        ("DNS", host.dns, (subjects,)),
        ("mirror", mirrors.mirrors, (subjects,)),
        ("overlay", host.overlay, ()),
        ("cgroups", host.cgroups, ()),
        ("forks", host.forks, (len(subjects), forks)),
    ]
    for root in sorted(roots):
        checks += [
            ("root directory", images.root, (root,)),
            ("user namespace", images.user_namespace, (root, subjects)),
            ("copies", images.copies, (root, subjects)),
            ("jobs", jobs.jobs, (root, images.existing(root), subjects)),
        ]
    checks += [(f"image {subject.image.name}", images.image, (subject,)) for subject in subjects]
    return [Check(*map(_plain, check)) for entry in checks for check in _tried(*entry)]


def _plain(text: str) -> str:
    return visible_line(" ".join(text.split()).encode(errors="replace"))


def _tried(name: str, check: Callable[..., Rows], arguments: tuple[Any, ...]) -> Iterator[Check]:
    try:
        for row in check(*arguments):
            yield Check(name, *row)
    except RunnerError as problem:
        yield Check(name, *error_row(PROBLEM, problem))
    except OSError as problem:
        yield Check(name, *error_row(PROBLEM, system_error(problem)))
