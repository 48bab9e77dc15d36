// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later

// Options of the connection plugin. No option chooses a program of the host or a bind: a fact of a hostile tree could set such an option.

import type { Path } from "./types.ts";

/**
 * Runs tasks in an image's tree, in one container that many tasks share.
 *
 * The first task starts a container on the tree. A small Python program in the container has Ansible's module code loaded and runs each
 * module in a fork of itself. Later tasks, forks and runs use the same container: a task needs no new container and no new Python.
 * Each task has a process of its own, so the process state of one task never reaches the next.
 *
 * One run of Ansible at a time uses the container. The container ends some seconds after that run, at `meta: reset_connection`, and before
 * the tree is published. Until then the image's lock is held, and jobs cannot start on this tree: a maintenance works on a copy, but
 * a run in place should end with `meta: reset_connection` where a job follows at once.
 *
 * Binds, environment, network, system call filter and capabilities of the container are those of the image's last maintenance.
 *
 * In a staged tree, `fsync` and similar system calls return at once, since the whole tree is written to the disk before it is published.
 * These calls wait as usual where the image has a writable bind, or no system call filter.
 *
 * In a tree without Python 3.7 or later, each command runs in a container of its own: `raw` can install Python, and `async` is refused.
 *
 * @kind connection
 * @name nspawn
 * @since 0.1.0
 */
export interface NspawnConnection {
  /**
   * Absolute path of the tree. The inventory plugin `nspawn.runner.chroots` sets the variable.
   *
   * @var ansible_host
   */
  remote_addr?: Path;
  /**
   * Shell in the tree that commands are given to.
   *
   * @default /bin/sh
   * @env ANSIBLE_EXECUTABLE
   * @ini defaults executable
   * @var ansible_executable
   */
  executable?: string;
  /**
   * Seconds that the container stays after the last run that used it; at most 3600.
   *
   * @default 2
   * @minimum 0
   * @env ANSIBLE_NSPAWN_IDLE_TIME
   * @ini nspawn_connection idle_time
   * @var ansible_nspawn_idle_time
   */
  idle_time?: number;
  /**
   * Seconds to wait for another run, a maintenance or a job that uses the tree, before the image counts as unreachable.
   *
   * @default 5
   * @minimum 0
   * @env ANSIBLE_NSPAWN_BUSY_TIMEOUT
   * @ini nspawn_connection busy_timeout
   * @var ansible_nspawn_busy_timeout
   */
  busy_timeout?: number;
}
