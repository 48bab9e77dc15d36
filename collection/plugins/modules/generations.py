#!/usr/bin/python
# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

# The documentation of the action plugin of the same name, which does the work on the controller.
DOCUMENTATION = r"""
module: generations
short_description: Shows the published tree and the earlier trees of each image, which a rollback can put back, as a table
author: The nspawn.runner authors (@nspawn-runner)
extends_documentation_fragment:
  - nspawn.runner._generations
  - ansible.builtin.action_common_attributes
seealso:
  - module: nspawn.runner.rollback
  - module: nspawn.runner.maintain
"""

EXAMPLES = r"""
# The playbook nspawn.runner.generations does the same.
- name: List the trees of each image
  hosts: nspawn_runner
  connection: local
  gather_facts: false
  tasks:
    - name: List the generations
      nspawn.runner.generations:
      run_once: true
      register: nspawn_runner_trees
"""

RETURN = r"""
jobs:
  description:
    - The jobs of the program nspawn-runner that use the trees of each image, by the image's name.
    - C(generation) is the id of the tree, C(name) the name of the job on this host, and C(label) the number of the job in GitLab.
  returned: always
  type: dict
  sample:
    sid: [{image: sid, generation: 20261124T231500Z, name: 0123456789abcdef, label: "4711"}]
images:
  description:
    - The record of each image's trees, by the image's name.
    - The content of the image's C(state.json), which has a reference page and a JSON Schema.
    - The task fails, and shows the other images, when the record of an image cannot be read.
  returned: always
  type: dict
  sample:
    sid:
      format: 1
      image: sid
      published: {id: 20261124T231500Z, published: "2026-11-24T23:15:00Z", tasks_changed: 1}
      generations: [{id: 20261123T231500Z, published: "2026-11-23T23:15:00Z", retired: "2026-11-24T23:15:00Z", tasks_changed: 7}]
"""
