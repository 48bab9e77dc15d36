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
short_description: Makes or removes the tree of one image
version_added: 0.1.0
description:
  - Makes or removes the tree of one image.
  - A tree is built beside its place and renamed in, so that a half-made tree never stands under the image's name. A new
    tree holds Python, git, dbus and systemd, and no host name, resolv.conf or cache of the host. Removal never leaves
    the root's file system, follows no link, and is refused while the tree is in use. It runs on the host that holds the
    trees, as root.
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
      - It is made, with mode 0700, when it does not exist.
    type: path
    default: /var/lib/nspawn-runner
  state:
    description:
      - Whether the tree is to exist.
      - C(absent) removes its generations and its record as well, and is refused while any of them is in use.
    type: str
    choices:
      - present
      - absent
    default: present
  recreate:
    description:
      - "Makes the tree anew when it exists: the new one is built beside it, takes its place, and then the old one is
        removed."
      - Refused while the old one is in use.
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
      - Without this value, the bootstrap tool chooses one.
    type: str
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
      - Keyring that the package archive's signature is checked with.
      - Without this value, the bootstrap tool chooses one.
    type: path
"""
