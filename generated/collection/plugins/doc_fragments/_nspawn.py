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
short_description: Runs tasks in an image's tree, in one container that many tasks share
version_added: 0.1.0
description:
  - Runs tasks in an image's tree, in one container that many tasks share.
  - "The first task starts a container on the tree, with a small Python program in it, which has Ansible's module code
    loaded and runs each module in a fork of itself. Later tasks, forks and runs use the same container: a task costs
    neither a container's start nor Python's. What a task does to its own process never reaches the next one."
  - "One run of Ansible at a time has the container. It ends some seconds after that run, at C(meta: reset_connection),
    and when the tree is to be published. Until then the image's lock is held, and jobs cannot start on this tree: a
    maintenance works on a copy, but a run in place should end with C(meta: reset_connection) where a job follows at
    once."
  - Binds, environment, network, system call filter and capabilities of the container are those of the image's last
    maintenance.
  - On the copy that a maintenance works on, C(fsync) and its like return at once, since the copy is written to the disk
    as a whole before it is published. They wait as ever where the image has a bind that can be written, or no system
    call filter.
  - "A tree without Python 3.7 or later has no such container: each command runs in one of its own, so that C(raw) can
    install Python, and C(async) is refused."
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
      - Seconds to wait for another run, a maintenance or a job that has the tree, before the image is called
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
