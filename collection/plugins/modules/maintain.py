#!/usr/bin/python
# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

# The documentation of the action plugin of the same name, which does the work on the controller.
DOCUMENTATION = r"""
module: maintain
short_description: "Creates or maintains one image: the image's playbook runs in a staged tree, which is then published"
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
# The playbook nspawn.runner.maintenance does the same, with a summary at the end.
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
    - C(published), the image has a new tree, or would have one in check mode; C(unchanged), the new tree would not differ;
      C(held), a rollback holds the image, so maintenance does not change it.
    - With C(busy), when another run, a container or a mount uses the image, and with C(failed), the task fails, and the image is as before.
  returned: always
  type: str
  sample: published
created:
  description: Whether the image had no tree before.
  returned: always
  type: bool
  sample: false
tasks_changed:
  description: Number of tasks of the image's playbook that changed something, or would in check mode.
  returned: always
  type: int
  sample: 3
packages:
  description: Changes of packages against the tree before. None where one of the two trees has no list of packages, and when nothing was published.
  returned: always
  type: list
  elements: dict
  sample: [{name: git, from: "1:2.39.2-1", to: "1:2.39.5-0"}, {name: make, to: "4.3-4.1"}]
packages_omitted:
  description: How many further changes C(packages) leaves out.
  returned: when a tree with more than 10,000 changes was published
  type: int
  sample: 2000
generation:
  description: Id of the new tree.
  returned: when a tree was published
  type: str
  sample: 20261123T231500Z
creation_changed:
  description:
    - Variables of the creation that have another value than when the tree was created.
    - The variable C(nspawn_runner_maint_recreate) lets a maintenance create the tree again.
  returned: when the playbook ran to its end
  type: list
  elements: str
  sample: [nspawn_runner_packages]
skipped_plays:
  description: C(hosts) of the playbook's plays that were not run, since they do not match the image.
  returned: when the playbook has such plays and ran to its end
  type: list
  elements: str
  sample: [localhost]
seconds:
  description: Duration of the task.
  returned: always
  type: float
  sample: 12.5
failed_runs:
  description: How many runs in a row failed, this one included.
  returned: when the run failed and was recorded
  type: int
  sample: 3
since:
  description: Time, in UTC, of the beginning of the first of the runs in a row that had this result. C(failed) and C(busy) count as one result.
  returned: when the run was recorded
  type: str
  sample: "2026-11-21T23:15:00Z"
log:
  description: File with the output of the creation and of the playbook's run. The file of the run before has C(.1) at the end of its name.
  returned: when a creation or a playbook ran
  type: str
  sample: /var/lib/nspawn-runner/.nspawn-runner/sid/last.log
msg:
  description: The changes, or the error.
  returned: always
  type: str
  sample: 3 tasks changed; 12 packages upgraded; published as 20261123T231500Z
"""
