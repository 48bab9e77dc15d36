# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: a table as text. Names can change at any time.

from __future__ import annotations

from collections.abc import Sequence


def table(rows: Sequence[Sequence[str]], numbers: int) -> list[str]:
    """Lines of aligned columns. The last `numbers` columns are aligned to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    texts = len(widths) - numbers
    return ["  ".join(cell.ljust(width) if column < texts else cell.rjust(width) for column, (cell, width) in enumerate(zip(row, widths))) for row in rows]
