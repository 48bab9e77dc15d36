#!/usr/bin/python
# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

# The documentation of the action plugin of the same name, which does the work on the controller.
DOCUMENTATION = r"""
module: rollback
author: The nspawn.runner authors (@nspawn-runner)
extends_documentation_fragment:
  - nspawn.runner._rollback
  - ansible.builtin.action_common_attributes
seealso:
  - module: nspawn.runner.generations
  - module: nspawn.runner.maintain
"""

EXAMPLES = r"""
# The playbooks nspawn.runner.rollback and nspawn.runner.release do this for the images of --limit.
- name: Put an earlier tree back
  hosts: sid
  connection: local
  gather_facts: false
  tasks:
    - name: The tree before the present one
      nspawn.runner.rollback:

- name: Put one tree of many back
  hosts: sid
  connection: local
  gather_facts: false
  tasks:
    - name: That of Monday
      nspawn.runner.rollback:
        generation: 20261123T231500Z

- name: Let maintenance work on the image again
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
  description: Id of the tree that was in the image's place, a generation from now on; null when there was none.
  returned: when no release was asked for
  type: str
  sample: 20261124T231500Z
generation:
  description: Id of the tree that is in the image's place now, or would be in check mode.
  returned: when no release was asked for
  type: str
  sample: 20261123T231500Z
msg:
  description: What was done, or why not.
  returned: always
  type: str
  sample: image sid is released, maintenance goes on with it
"""
