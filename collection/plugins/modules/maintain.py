#!/usr/bin/python
# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

# The documentation of the action plugin of the same name, which does the work on the controller.
DOCUMENTATION = r"""
module: maintain
author: The nspawn.runner authors (@nspawn-runner)
extends_documentation_fragment: nspawn.runner._maintain
seealso:
  - module: nspawn.runner.summary
  - module: nspawn.runner.chroot
"""

EXAMPLES = r"""
# The playbook nspawn.runner.maintenance does this, with a summary at the end.
- name: Maintain every declared image
  hosts: nspawn_runner_declared
  connection: local
  gather_facts: false
  tasks:
    - name: Create the image when it is missing, and run its playbook
      nspawn.runner.maintain:
"""

RETURN = r"""
created:
  description: Whether the tree was made, or would be made in check mode.
  returned: always
  type: bool
  sample: false
tasks_changed:
  description: How many tasks of the image's playbook changed something, or would in check mode.
  returned: always
  type: int
  sample: 3
seconds:
  description: How long it took.
  returned: always
  type: float
  sample: 12.5
log:
  description: File with all that the creation and the playbook's run printed. The one before it stands beside it, with C(.1) at its end.
  returned: when something ran
  type: str
  sample: /var/lib/nspawn-runner/.nspawn-runner/sid/last.log
msg:
  description: What was done, or what failed.
  returned: always
  type: str
  sample: 3 tasks changed
"""
