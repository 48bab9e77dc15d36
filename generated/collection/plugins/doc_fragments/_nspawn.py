# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# PRIVATE: for this collection only; it may change at any time.
# Generated from src/model/nspawn-connection.ts: edit that, then run "npm run generate".
#
# Options of nspawn.

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
version_added: 0.1.0
description:
  - Runs tasks in an image's tree, in one container that many tasks share.
  - "The first task starts a container on the tree. A small Python program in the container has Ansible's module code
    loaded and runs each module in a fork of itself. Later tasks, forks and runs use the same container: a task needs no
    new container and no new Python. Each task has a process of its own, so the process state of one task never reaches
    the next."
  - "One run of Ansible at a time uses the container. The container ends some seconds after that run, at C(meta:
    reset_connection), and before the tree is published. Until then the image's lock is held, and jobs cannot start on
    this tree: a maintenance works on a copy, but a run in place should end with C(meta: reset_connection) where a job
    follows at once."
  - Binds, environment, network, system call filter and capabilities of the container are those of the image's last
    maintenance.
  - In a staged tree, C(fsync) and similar system calls return at once, since the whole tree is written to the disk
    before it is published. These calls wait as usual where the image has a writable bind, or no system call filter.
  - "In a tree without Python 3.7 or later, each command runs in a container of its own: C(raw) can install Python, and
    C(async) is refused."
options:
  remote_addr:
    description:
      - Absolute path of the tree.
      - The inventory plugin C(nspawn.runner.chroots) sets the variable.
    type: path
    vars:
      - name: ansible_host
  executable:
    description:
      - Shell in the tree that commands are given to.
    type: str
    default: /bin/sh
    env:
      - name: ANSIBLE_EXECUTABLE
    ini:
      - section: defaults
        key: executable
    vars:
      - name: ansible_executable
  idle_time:
    description:
      - Seconds that the container stays after the last run that used it; at most 3600.
    type: int
    default: 2
    env:
      - name: ANSIBLE_NSPAWN_IDLE_TIME
    ini:
      - section: nspawn_connection
        key: idle_time
    vars:
      - name: ansible_nspawn_idle_time
  busy_timeout:
    description:
      - Seconds to wait for another run, a maintenance or a job that uses the tree, before the image counts as
        unreachable.
    type: int
    default: 5
    env:
      - name: ANSIBLE_NSPAWN_BUSY_TIMEOUT
    ini:
      - section: nspawn_connection
        key: busy_timeout
    vars:
      - name: ansible_nspawn_busy_timeout
"""
