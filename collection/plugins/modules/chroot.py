#!/usr/bin/python
# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: chroot
short_description: Makes or removes the tree of one image
author: The nspawn.runner authors (@nspawn-runner)
extends_documentation_fragment:
  - nspawn.runner._chroot
  - ansible.builtin.action_common_attributes
requirements:
  - Python 3.9
  - systemd-nspawn
  - mmdebstrap or debootstrap, for a tree that neither a command nor an archive makes
  - xz or zstd, for archives in that format
seealso:
  - module: nspawn.runner.maintain
"""

EXAMPLES = r"""
- name: Create a Debian tree with the first suitable tool
  nspawn.runner.chroot:
    name: trixie
    suite: trixie

- name: Create a tree from an archive
  nspawn.runner.chroot:
    name: alpine
    tarball: /srv/archives/alpine-minirootfs.tar.gz
    checksum: sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08

- name: Create a Fedora tree with a command, the script in the collection's examples
  nspawn.runner.chroot:
    name: fedora
    command:
      - /etc/nspawn-runner/dnf-tree.sh
      - "{tree}"
      - "43"
      - /usr/share/distribution-gpg-keys/fedora/RPM-GPG-KEY-fedora-43-primary
      - https://mirror.example.org/fedora/releases/43/Everything/x86_64/os/
      - fedora-release
      - dnf5
      - python3
      - systemd

- name: Create a Debian tree from repositories of your own
  nspawn.runner.chroot:
    name: trixie
    suite: trixie
    repositories:
      - name: base
        url: http://mirror.example.org/debian
      - name: security
        url: http://mirror.example.org/debian-security
        suite: trixie-security

- name: Create a tree again, from scratch
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
  description: The tool or method that created the tree, or would create it in check mode.
  returned: when a tree is created
  type: str
  sample: mmdebstrap
msg:
  description: The change, or the error with the last lines of the program that failed.
  returned: always
  type: str
  sample: /var/lib/nspawn-runner/trixie was made by mmdebstrap
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.nspawn.runner.plugins.module_utils._create.chroot import absent, present
from ansible_collections.nspawn.runner.plugins.module_utils._create.repositories import secrets_of
from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._host.process import die_with_ansible, ignore
from ansible_collections.nspawn.runner.plugins.module_utils._spec.argument_specs import CHROOT


def main() -> None:
    module = AnsibleModule(argument_spec=CHROOT, supports_check_mode=True)
    # With -vvv, Ansible shows the options.
    module.no_log_values.update(secrets_of(module.params))
    if "@" in (module.params["proxy"] or ""):
        module.no_log_values.add(module.params["proxy"])
    die_with_ansible()
    act = absent if module.params["state"] == "absent" else present
    try:
        result = act(module.params, ignore, module.check_mode)
    except RunnerError as problem:
        module.fail_json(msg=str(problem))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
