# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# PRIVATE: for this collection only; it may change at any time.
# Generated from src/model/chroot-module.ts: edit that, then run "npm run generate".
#
# Options of chroot.

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
version_added: 0.1.0
description:
  - Makes or removes the tree of one image.
  - "A new tree is built in another directory and renamed when it is complete: an incomplete tree never has the image's
    name. A new tree contains Python, git, dbus and systemd, and no host name, resolv.conf or cache of the host. Removal
    stays on the root directory's file system, follows no link, and is refused while the tree is in use. The module runs
    on the host that holds the trees, as root."
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  platform:
    support: full
    platforms: linux
options:
  name:
    description:
      - Name of the image.
    type: str
    required: true
  root:
    description:
      - Directory that holds the trees.
      - A missing directory is made, with mode 0700.
    type: path
    default: /var/lib/nspawn-runner
  state:
    description:
      - Whether the tree shall exist.
      - C(absent) also removes the generations, the record, the logs and all else of the image's private directory, and
        is refused while one of the trees is in use.
    type: str
    choices:
      - present
      - absent
    default: present
  recreate:
    description:
      - "Replaces an existing tree: the new tree is built in another directory and takes the place of the old one, which
        is then removed."
      - This is refused while the old tree is in use.
    type: bool
    default: false
  suite:
    description:
      - Suite that the tree is made from, such as C(trixie) or C(sid).
      - The bootstrap tools need it.
    type: str
  bootstrap:
    description:
      - "How the tree is made: by the bootstrap tool of this name, by the command of C(command), or from the archive of
        C(tarball)."
      - The default is C(command) or C(tarball) where one of these two is set, else the first installed tool that can
        make the suite.
    type: str
    choices:
      - mmdebstrap
      - debootstrap
      - command
      - tarball
  command:
    description:
      - Program and arguments that fill a directory.
      - C({tree}) in an argument is that directory, which exists and is empty.
      - This is how distributions other than Debian are made.
      - The command runs as root on the host, with few variables of the environment and without the capabilities that no
        creation needs.
    type: list
    elements: str
  tarball:
    description:
      - "Local archive of a root file system: C(.tar), or compressed by gzip, xz or zstd."
    type: path
  checksum:
    description:
      - Checksum that the archive must have, as C(ALGORITHM:HEX).
    type: str
  mirror:
    description:
      - Package archive that the tree is made from.
      - Without this value, the tree is made from the distribution's own archive.
      - A login in the URL, such as C(https://user:password@mirror.example.org/debian), is hidden from the host's users,
        and kept in the tree for apt, for root alone.
      - A mirror of Debian or Ubuntu gives the suite and its updates; security updates come from the mirror too if it
        has them, else from the distribution's own archive.
    type: str
  proxy:
    description:
      - "Proxy for the creation, whatever makes the tree, and for all tasks, as C(http://proxy.example.org:3128): the
        variables C(http_proxy) and C(https_proxy) of the environment, in small letters and in capitals, and C(no_proxy)
        for this host itself."
      - A variable of C(nspawn_runner_environment) overrides one of these in the tasks.
      - Nothing of the proxy stays in the tree.
      - Jobs get a proxy from their runner.
    type: str
  repositories:
    description:
      - Package repositories that the tree is made from, and that apt in the tree knows.
      - The first one is the suite itself.
      - The default is the suite with the updates and the security updates that the distribution has for it, also with
        C(mirror).
      - Creation fails while one of the repositories does not answer.
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - Name, of lower-case letters, digits and C(-).
        type: str
        required: true
      url:
        description:
          - Address, which may have a login.
          - The default is C(mirror), or else the distribution's own archive.
        type: str
      suite:
        description:
          - Suite in the repository.
          - The default is C(suite).
        type: str
      components:
        description:
          - Components of the repository.
          - The default is C(components).
        type: list
        elements: str
      keyring:
        description:
          - Keyring that the repository's signature is checked with.
          - The default is C(keyring), or else the distribution's own keyring.
        type: path
  components:
    description:
      - Components of the package archive.
    type: list
    elements: str
    default:
      - main
  architecture:
    description:
      - Debian architecture of the tree, such as C(amd64).
      - The default is the host's.
    type: str
  variant:
    description:
      - How much the bootstrap tool installs.
    type: str
    choices:
      - minbase
      - buildd
    default: minbase
  packages:
    description:
      - Packages that creation installs beside those that every image gets for Ansible and for booted jobs.
    type: list
    elements: str
    default: []
  keyring:
    description:
      - Keyring that the package archive's signature is checked with, and that apt in the tree gets.
      - Without this value, the distribution's own keyring is taken.
    type: path
"""
