#!/usr/bin/python
# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

# The documentation of the action plugin of the same name, which does the work on the controller.
DOCUMENTATION = r"""
module: maintain
author: The nspawn.runner authors (@nspawn-runner)
extends_documentation_fragment:
  - nspawn.runner._maintain
  - ansible.builtin.action_common_attributes
seealso:
  - module: nspawn.runner.summary
  - module: nspawn.runner.rollback
  - module: nspawn.runner.generations
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
result:
  description:
    - C(published), a new tree is at the image's place, or would be in check mode; C(unchanged), nothing that counts changed;
      C(held), a rollback keeps maintenance away.
    - The image is as it was, and the task failed, with C(busy), since another run, a container or a mount was in the way, and with C(failed).
  returned: always
  type: str
  sample: published
created:
  description: Whether there was no tree before.
  returned: always
  type: bool
  sample: false
tasks_changed:
  description: How many tasks of the image's playbook changed something, or would in check mode.
  returned: always
  type: int
  sample: 3
packages:
  description: What became of Debian's packages, against the tree before. None where one of the two has no dpkg, and when nothing was published.
  returned: always
  type: list
  elements: dict
  sample: [{name: git, from: "1:2.39.2-1", to: "1:2.39.5-0"}, {name: make, to: "4.3-4.1"}]
generation:
  description: Id of the new tree.
  returned: when it was published
  type: str
  sample: 20261123T231500Z
creation_changed:
  description:
    - Variables that say how the tree is created and have another value than when it was.
    - It is made anew when asked, by C(nspawn_runner_maint_recreate).
  returned: when the playbook ran to its end
  type: list
  elements: str
  sample: [nspawn_runner_packages]
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
  sample: 3 tasks changed; 12 packages upgraded; published as 20261123T231500Z
"""
