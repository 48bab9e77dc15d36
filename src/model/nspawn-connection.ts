// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later

// Options of the connection plugin. None of them chooses a program of the host or a bind: a fact of a hostile tree could set it.

import type { Path } from "./types.ts";

/**
 * Runs tasks in an image's tree, in one container that many tasks share.
 *
 * The first task starts a container on the tree, with a small Python program in it, which has Ansible's module code loaded and runs each
 * module in a fork of itself. Later tasks, forks and runs use the same container: a task costs neither a container's start nor Python's.
 * What a task does to its own process never reaches the next one.
 *
 * One run of Ansible at a time has the container. It ends some seconds after that run, at `meta: reset_connection`, and when the
 * tree is to be published. Until then the image's lock is held, and jobs cannot start on this tree: a maintenance works on a copy, but
 * a run in place should end with `meta: reset_connection` where a job follows at once.
 *
 * Binds, environment, network, system call filter and capabilities of the container are those of the image's last maintenance.
 *
 * On the copy that a maintenance works on, `fsync` and its like return at once, since the copy is written to the disk as a whole before it
 * is published. They wait as ever where the image has a bind that can be written, or no system call filter.
 *
 * A tree without Python 3.7 or later has no such container: each command runs in one of its own, so that `raw` can install Python,
 * and `async` is refused.
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
   * Seconds to wait for another run, a maintenance or a job that has the tree, before the image is called unreachable.
   *
   * @default 5
   * @minimum 0
   * @env ANSIBLE_NSPAWN_BUSY_TIMEOUT
   * @ini nspawn_connection busy_timeout
   * @var ansible_nspawn_busy_timeout
   */
  busy_timeout?: number;
}
