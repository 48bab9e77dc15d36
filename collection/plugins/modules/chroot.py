#!/usr/bin/python
# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: chroot
author: The nspawn.runner authors (@nspawn-runner)
extends_documentation_fragment:
  - nspawn.runner._chroot
  - ansible.builtin.action_common_attributes
requirements:
  - Python 3.9
  - systemd-nspawn
  - mmdebstrap or debootstrap, unless the tree is made by a command or from an archive
  - xz or zstd, for archives that are compressed by them
seealso:
  - module: nspawn.runner.maintain
"""

EXAMPLES = r"""
- name: Make a Debian tree by the first tool that can
  nspawn.runner.chroot:
    name: trixie
    suite: trixie

- name: Make a tree from an archive
  nspawn.runner.chroot:
    name: alpine
    tarball: /srv/archives/alpine-minirootfs.tar.gz
    checksum: sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08

- name: Make a Fedora tree by a command
  nspawn.runner.chroot:
    name: fedora
    command: [dnf, --assumeyes, "--installroot={tree}", --releasever=42, install, bash, python3, systemd]

- name: Make a tree anew
  nspawn.runner.chroot:
    name: sid
    suite: sid
    recreate: true

- name: Remove a tree
  nspawn.runner.chroot:
    name: jessie
    state: absent
"""

RETURN = r"""
path:
  description: Path of the tree.
  returned: success
  type: str
  sample: /var/lib/nspawn-runner/trixie
bootstrap:
  description: How the tree was made, or would be made in check mode.
  returned: when a tree is made
  type: str
  sample: mmdebstrap
msg:
  description: What was done, or what failed and the last lines of the program that failed.
  returned: always
  type: str
  sample: /var/lib/nspawn-runner/trixie was made by mmdebstrap
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.nspawn.runner.plugins.module_utils._create.chroot import absent, present
from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._host.process import die_with_ansible, ignore
from ansible_collections.nspawn.runner.plugins.module_utils._spec.argument_specs import CHROOT


def main() -> None:
    module = AnsibleModule(argument_spec=CHROOT, supports_check_mode=True)
    die_with_ansible()
    act = absent if module.params["state"] == "absent" else present
    try:
        result = act(module.params, ignore, module.check_mode)
    except RunnerError as problem:
        module.fail_json(msg=str(problem))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
