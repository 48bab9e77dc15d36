#!/usr/bin/python
# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

# The documentation of the action plugin of the same name, which does the work on the controller.
DOCUMENTATION = r"""
module: doctor
short_description: "Shows whether this host is ready to make and maintain images, as a table: a line per check with ok,
  warning or problem, and the remedy"
author: The nspawn.runner authors (@nspawn-runner)
extends_documentation_fragment:
  - nspawn.runner._doctor
  - ansible.builtin.action_common_attributes
seealso:
  - module: nspawn.runner.maintain
  - module: nspawn.runner.generations
"""

EXAMPLES = r"""
# The playbook nspawn.runner.doctor does the same, and fails when there is a problem.
- name: Check whether this host is ready
  hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - name: Check the host and its images
      nspawn.runner.doctor:
      register: nspawn_runner_doctor
"""

RETURN = r"""
checks:
  description: The lines of the table.
  returned: success
  type: list
  elements: dict
  contains:
    check:
      description: The part of the host, or the image, that was checked.
      returned: success
      type: str
    result:
      description: One of C(ok), C(warning) and C(problem).
      returned: success
      type: str
    found:
      description: The finding.
      returned: success
      type: str
    remedy:
      description: The action that solves the problem; empty where none is needed.
      returned: success
      type: str
  sample:
    - {check: systemd-nspawn, result: problem, found: not installed, remedy: run apt install systemd-container}
problems:
  description: Number of problems.
  returned: success
  type: int
  sample: 1
warnings_found:
  description: Number of warnings.
  returned: success
  type: int
  sample: 0
msg:
  description: Both numbers in a sentence.
  returned: success
  type: str
  sample: 1 problem and 0 warnings
"""
