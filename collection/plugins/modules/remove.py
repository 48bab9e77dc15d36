#!/usr/bin/python
# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

# The documentation of the action plugin of the same name, which does the work on the controller.
DOCUMENTATION = r"""
module: remove
short_description: "Removes one image from this host: the tree, the earlier trees, the log and all other private files"
author: The nspawn.runner authors (@nspawn-runner)
extends_documentation_fragment:
  - nspawn.runner._remove
  - ansible.builtin.action_common_attributes
seealso:
  - module: nspawn.runner.chroot
  - module: nspawn.runner.generations
"""

EXAMPLES = r"""
# The playbook nspawn.runner.remove does the same for the image of -e nspawn_runner_remove=NAME.
- name: Remove an image that no job needs any more
  hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - name: Remove the image jessie
      nspawn.runner.remove:
        name: jessie
"""

RETURN = r"""
path:
  description: Path of the tree that was removed, or would be removed in check mode.
  returned: success
  type: str
  sample: /var/lib/nspawn-runner/jessie
msg:
  description: The change, or the error.
  returned: always
  type: str
  sample: /var/lib/nspawn-runner/jessie was removed
"""
