// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later

// The record of an image's trees.

import type { Checksum, Count, GenerationId, Path, Seconds, Timestamp } from "./types.ts";

/**
 * The record of an image's trees.
 *
 * The record is the file `.nspawn-runner/IMAGE/state.json` in the root directory. Maintenance and rollback replace the file as a whole: the trees
 * under the image's lock, and `last_run` also without, when another run has the lock. Any program may read the file at any time. An image without
 * this file has no history, and is maintained all the same.
 * A file with other types than these, or with `null`, is refused and left as it is. A generation that is listed twice counts once.
 *
 * All times are in UTC.
 *
 * @kind state
 * @name state
 * @since 0.1.0
 * @example {
 *   "format": 1,
 *   "image": "sid",
 *   "published": {
 *     "id": "20261124T231500Z",
 *     "published": "2026-11-24T23:15:00Z",
 *     "playbook": "/etc/nspawn-runner/sid.yml",
 *     "playbook_sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
 *     "tasks_changed": 1,
 *     "packages": [
 *       {"name": "git", "from": "1:2.51.0-1", "to": "1:2.51.0-2"},
 *       {"name": "libfoo1", "from": "1.9-4"},
 *       {"name": "libfoo2", "to": "2.0-1"}
 *     ],
 *     "creation": {"suite": "sid", "components": ["main"], "variant": "minbase", "packages": []}
 *   },
 *   "generations": [
 *     {
 *       "id": "20261123T231500Z",
 *       "published": "2026-11-23T23:15:00Z",
 *       "retired": "2026-11-24T23:15:00Z",
 *       "playbook": "/etc/nspawn-runner/sid.yml",
 *       "playbook_sha256": "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752",
 *       "tasks_changed": 7,
 *       "mounts": ["0:57 rw,lowerdir=/var/lib/nspawn-runner/sid,upperdir=/tmp/job1,workdir=/tmp/.job1"],
 *       "mounts_complete": false
 *     }
 *   ],
 *   "last_run": {
 *     "started": "2026-11-24T23:14:31Z",
 *     "seconds": 29.4,
 *     "result": "published",
 *     "since": "2026-11-23T23:14:02Z",
 *     "tasks_changed": 1,
 *     "msg": "1 task changed; published as 20261124T231500Z",
 *     "log": "/var/lib/nspawn-runner/.nspawn-runner/sid/last.log"
 *   }
 * }
 */
export interface ImageState {
  /** Version of this format. A file with a greater version is not changed, and is an error. */
  format: 1;
  /** Name of the image. */
  image: string;
  /** The tree in the image's place. Absent when there is no tree, or when the tree was not made by a maintenance. */
  published?: Generation;
  /** The earlier trees, the newest first. */
  generations: Generation[];
  /** Set by a rollback, until the release. */
  hold?: Hold;
  /** The last maintenance of the image, whatever its result. */
  last_run?: LastRun;
}

/** A present or earlier tree of an image. A tree keeps its id, also when a rollback puts the tree back in the image's place. */
export interface Generation {
  /** Made from the time at which the tree first took the image's place. A later tree has a greater id, even when the clock was set back. Ids end with the year 9998. */
  id: GenerationId;
  /** Time at which the tree first took the image's place. Absent for a tree that no maintenance put there. */
  published?: Timestamp;
  /**
   * Time at which another tree took the place. Only of an earlier tree. A time in the future, written by a clock that was ahead, is replaced by the
   * present time in the next maintenance.
   */
  retired?: Timestamp;
  /** Time of the last run in place on the tree, which may have changed the tree after its maintenance. Absent when there was none. */
  in_place?: Timestamp;
  /** The playbook that ran in the tree. */
  playbook?: Path;
  /** Checksum of that playbook's file. */
  playbook_sha256?: Checksum;
  /** How many of the playbook's tasks changed something. */
  tasks_changed?: Count;
  /** Changes of packages since the previous tree. Absent where one of the two trees has no list of packages that can be read. */
  packages?: Change[];
  /** How many further changes `packages` leaves out: a record lists 10,000 changes in all, those of the newest trees first. */
  packages_omitted?: Count;
  /** Bytes that the tree's files occupied when the tree was published, shared blocks too. Absent where the measurement took too long. */
  size?: Count;
  /** Options of `nspawn.runner.chroot` with which the tree was made. Absent when unknown. */
  creation?: Record<string, string | string[]>;
  /**
   * Overlay mounts that named the image's place when the tree lost the place: device number and options of each.
   * While one of these mounts exists, a job may be using this tree, so the tree is not removed.
   */
  mounts?: string[];
  /**
   * Whether `mounts` has also the mounts that were being made at that time. The maintenance that replaces the tree sets `false`; the next one
   * adds these mounts and sets `true`. Before that the tree is not removed.
   */
  mounts_complete?: boolean;
}

/** A package that changed. */
export interface Change {
  /** Name of the package, with `:ARCHITECTURE` when that is foreign. */
  name: string;
  /** Version before. Absent when the package is new. */
  from?: string;
  /** Version after. Absent when the package was removed. */
  to?: string;
}

/** Maintenance skips the image, so that the changes which a rollback has undone do not come back. */
export interface Hold {
  /** Time of the rollback. */
  since: Timestamp;
  /** The tree that the rollback put back. */
  generation: GenerationId;
}

/** The last maintenance of the image. */
export interface LastRun {
  /** Time of the beginning. */
  started: Timestamp;
  /** Duration. */
  seconds: Seconds;
  /** Result for the image. The image has a new tree with `published` only. */
  result: "published" | "unchanged" | "failed" | "busy" | "held";
  /**
   * Time of the beginning of the first of the runs in a row that had this result. `failed` and `busy` count as one result. Absent in a record
   * of an earlier version.
   */
  since?: Timestamp;
  /** How many runs in a row failed, this one included: with `failed` or `busy`. Absent when this run did not fail. */
  failed_runs?: Count;
  /** How many of the playbook's tasks changed something. */
  tasks_changed: Count;
  /** Changes of packages since the previous tree. Absent when unknown. */
  packages?: Change[];
  /** How many further changes `packages` leaves out. */
  packages_omitted?: Count;
  /** `hosts` of the playbook's plays that were not run, since they do not match the image: `localhost`, for example. Absent when there are none. */
  skipped_plays?: string[];
  /** The work that was done, or the failure. */
  msg: string;
  /** File with the whole output of the run. Absent when the run ended before it had any, as with `held`. */
  log?: Path;
}
