#!/usr/bin/python
# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

# The documentation of the action plugin of the same name, which does the work on the controller.
DOCUMENTATION = r"""
module: generations
author: The nspawn.runner authors (@nspawn-runner)
extends_documentation_fragment: nspawn.runner._generations
seealso:
  - module: nspawn.runner.rollback
  - module: nspawn.runner.maintain
"""

EXAMPLES = r"""
# The playbook nspawn.runner.generations does this, and shows it as a table.
- name: Which trees are there
  hosts: nspawn_runner_present
  connection: local
  gather_facts: false
  tasks:
    - name: List them
      nspawn.runner.generations:
      register: nspawn_runner_trees
"""

RETURN = r"""
published:
  description: The tree in the image's place. Without what is not known of it.
  returned: when the image has a tree that a maintenance published
  type: dict
  contains: &tree
    id:
      description: What names the tree, made from the time of its publication. A later tree has a greater one.
      type: str
      returned: always
      sample: 20261124T231500Z
    published:
      description: When it took the image's place.
      type: str
      returned: when it is known
      sample: "2026-11-24T23:15:00Z"
    retired:
      description: When it lost that place.
      type: str
      returned: for an earlier tree
      sample: "2026-11-25T23:15:00Z"
    tasks_changed:
      description: How many tasks of the playbook changed something.
      type: int
      returned: when it is known
      sample: 3
    packages:
      description: Packages that changed against the tree before. C(from) is missing for a new one, C(to) for one that was removed.
      type: list
      elements: dict
      returned: when both trees have dpkg
      sample: [{name: git, from: "1:2.47.2-0.1", to: "1:2.47.3-0+deb13u1"}]
generations:
  description: The earlier trees, the newest first.
  returned: success
  type: list
  elements: dict
  contains: *tree
hold:
  description: Since when maintenance leaves the image alone, and which tree the rollback put back.
  returned: after a rollback, until the release
  type: dict
  sample: {since: "2026-11-25T08:00:00Z", generation: 20261123T231500Z}
"""
