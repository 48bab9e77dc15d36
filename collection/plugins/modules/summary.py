#!/usr/bin/python
# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

# The documentation of the action plugin of the same name, which does the work on the controller.
DOCUMENTATION = r"""
module: summary
short_description: Shows the results of nspawn.runner.maintain as a table, one line per image
author: The nspawn.runner authors (@nspawn-runner)
extends_documentation_fragment:
  - nspawn.runner._summary
  - ansible.builtin.action_common_attributes
seealso:
  - module: nspawn.runner.maintain
"""

EXAMPLES = r"""
- name: Maintain every declared image
  hosts: nspawn_runner_declared
  connection: local
  gather_facts: false
  tasks:
    - name: Maintain, and show the table also when an image fails
      block:
        - name: Create the image when it is missing, and run its playbook
          nspawn.runner.maintain:
          register: nspawn_runner_result
      always:
        - name: Show the results
          nspawn.runner.summary:
            register: nspawn_runner_result
          run_once: true
"""

RETURN = r"""
images:
  description: The result in each image's line, C(published), C(unchanged), C(held), C(failed) or C(busy).
  returned: success
  type: dict
  sample: {bookworm: unchanged, trixie: published}
"""
