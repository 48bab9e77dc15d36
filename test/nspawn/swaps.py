# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# swaps.py TREE OTHER STOP: exchanges two trees again and again, each time in a quiet moment, until the file STOP exists.
# Prints how often, and how many milliseconds an exchange took, the median, and the longest wait before one.

from __future__ import annotations

import json
import os
import statistics
import sys
import time

from ansible_collections.nspawn.runner.plugins.module_utils._host import files
from ansible_collections.nspawn.runner.plugins.module_utils._tree import quiet

tree, other, stop = sys.argv[1:]
exchanges: list[float] = []
wait = 0.0
while not os.path.exists(stop):
    start = time.monotonic()
    with quiet.quiet(tree):
        began = time.monotonic()
        files.rename(tree, other, files.EXCHANGE)
        end = time.monotonic()
    exchanges.append(end - began)
    wait = max(wait, began - start)
print(json.dumps({"swaps": len(exchanges), "exchange": statistics.median(exchanges) * 1000, "wait": wait * 1000}))
