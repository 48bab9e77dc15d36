#!/usr/bin/python
# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

# The documentation of the action plugin of the same name, which does the work on the controller.
DOCUMENTATION = r"""
module: rollback
short_description: Puts an earlier tree of one image back in its place, or releases the image afterwards
author: The nspawn.runner authors (@nspawn-runner)
extends_documentation_fragment:
  - nspawn.runner._rollback
  - ansible.builtin.action_common_attributes
seealso:
  - module: nspawn.runner.generations
  - module: nspawn.runner.maintain
"""

EXAMPLES = r"""
# The playbooks nspawn.runner.rollback and nspawn.runner.release do the same for the images of --limit.
- name: Put an earlier tree back
  hosts: sid
  connection: local
  gather_facts: false
  tasks:
    - name: Put the tree before the present one back
      nspawn.runner.rollback:

- name: Put a certain tree back
  hosts: sid
  connection: local
  gather_facts: false
  tasks:
    - name: Put the tree of Monday back
      nspawn.runner.rollback:
        generation: 20261123T231500Z

- name: Let maintenance change the image again
  hosts: sid
  connection: local
  gather_facts: false
  tasks:
    - name: End the hold
      nspawn.runner.rollback:
        release: true
"""

RETURN = r"""
previous:
  description: Id of the published tree before, now an earlier generation; null when the image had no tree.
  returned: when no release was asked for
  type: str
  sample: 20261124T231500Z
generation:
  description: Id of the published tree now, or the one that would be published in check mode.
  returned: when no release was asked for
  type: str
  sample: 20261123T231500Z
msg:
  description: The change, or the error.
  returned: always
  type: str
  sample: "image sid is released: maintenance changes it again"
"""
