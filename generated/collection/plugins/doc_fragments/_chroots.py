# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# PRIVATE: for this collection only; it may change at any time.
# Generated from src/model/chroots-inventory.ts: edit that, then run "npm run generate".
#
# Options of chroots.

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
version_added: 0.1.0
description:
  - Lists the images of a runner host as Ansible hosts.
  - The name of the inventory file ends in C(nspawn_runner.yml) or C(nspawn_runner.yaml).
  - An image has a tree, the directory of its name in the root directory, or a playbook of its name in one of the
    playbook directories, or both. A file counts as an image's playbook when a tree of that name exists, or when its
    first play's C(vars) has a key that begins with C(nspawn_runner_). Those variables become host variables.
  - "All images are in the group C(nspawn_runner), and in those of its children that apply: C(nspawn_runner_declared)
    has a playbook, C(nspawn_runner_present) has a tree, C(nspawn_runner_missing) has a playbook and no tree,
    C(nspawn_runner_unmanaged) has a tree and no playbook."
  - "An image whose playbook cannot be used stays listed: the variable C(nspawn_runner_error) and a warning give the
    reason. So does an image for which an expression of C(compose), C(groups) or C(keyed_groups) fails, where C(strict)
    is set. Maintenance of such an image fails."
  - Files and directories whose name begins with a dot are private. A tree whose name cannot be a host name is skipped
    with a warning. A playbook with such a name fails the playbooks of the collection, which maintain the other images
    all the same.
  - The groups of the option C(groups) exist also without an image, so that a playbook can name them in C(hosts).
  - The plugin executes nothing inside a tree and follows no symbolic link there. Text from a tree is never rendered as
    a template.
options:
  plugin:
    description:
      - The name of this plugin.
    type: str
    required: true
    choices:
      - nspawn.runner.chroots
  root:
    description:
      - Directory that holds one tree per image.
      - Without this directory, all images are missing.
    type: path
    default: /var/lib/nspawn-runner
    env:
      - name: NSPAWN_RUNNER_ROOT
  playbook_dirs:
    description:
      - Directories that are searched for playbooks, each named after an image.
      - The first match wins, and C(.yaml) wins over C(.yml) in one directory; a warning names a second playbook of an
        image.
      - A relative path starts at the inventory file's directory.
      - A path that is no directory is an error.
      - The default is the directory of the inventory file, then the root directory.
      - So the playbooks in C(/etc/nspawn-runner) count when the inventory file lies there, or when this option names
        the directory.
    type: list
    elements: path
  connection:
    description:
      - Connection plugin of the images.
      - With C(community.general.chroot), which has to be installed, each command starts a container of its own.
      - Any other plugin would run the tasks outside of the tree.
    type: str
    choices:
      - nspawn.runner.nspawn
      - community.general.chroot
    default: nspawn.runner.nspawn
  include:
    description:
      - Only images whose name matches one of these globs are listed.
    type: list
    elements: str
    default:
      - "*"
  exclude:
    description:
      - Images whose name matches one of these globs are not listed.
    type: list
    elements: str
    default: []
"""
