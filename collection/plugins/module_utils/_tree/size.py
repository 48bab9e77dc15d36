# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the size of a tree. Names can change at any time.

from __future__ import annotations

from ansible_collections.nspawn.runner.plugins.module_utils._host.process import guarded, run


def size(tree: str, seconds: float) -> int | None:
    """Bytes that the files of a tree occupy on its file system, shared blocks too; None where this takes longer, or a file cannot be read.

    du follows no link of the tree.
    """
    argv = ["timeout", "--signal=KILL", f"{seconds:.1f}", "du", "--summarize", "--one-file-system", "--block-size=1", "--", tree]
    status, lines = run(guarded(argv))
    number = lines[-1].partition("\t")[0] if status == 0 and lines else ""
    return int(number) if number.isdigit() else None
