// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later

// The file that says what is known of an image's trees.

import type { Checksum, Count, GenerationId, Path, Seconds, Timestamp } from "./types.ts";

/**
 * What is known of an image's trees.
 *
 * It is the file `.nspawn-runner/IMAGE/state.json` in the root directory. Maintenance and rollback write it, as a whole and under the image's
 * lock; everybody else may read it at any time. Without it an image has no history, and is maintained all the same.
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
 *       "mounts": ["0:57 rw,lowerdir=/var/lib/nspawn-runner/sid,upperdir=/tmp/job1,workdir=/tmp/.job1"]
 *     }
 *   ],
 *   "last_run": {
 *     "started": "2026-11-24T23:14:31Z",
 *     "seconds": 29.4,
 *     "result": "published",
 *     "tasks_changed": 1,
 *     "msg": "1 task changed; published as 20261124T231500Z",
 *     "log": "/var/lib/nspawn-runner/.nspawn-runner/sid/last.log"
 *   }
 * }
 */
export interface ImageState {
  /** Version of this format. A file with a greater one is left alone, with an error that says so. */
  format: 1;
  /** Name of the image. */
  image: string;
  /** The tree in the image's place. Absent when there is none, or when something else than maintenance made it. */
  published?: Generation;
  /** The earlier trees, the newest first. */
  generations: Generation[];
  /** Set by a rollback, until the release. */
  hold?: Hold;
  /** The last maintenance that got as far as working on the image. */
  last_run?: LastRun;
}

/** A tree that is or was an image's, and keeps its id for life: a rollback gives it the image's place again under the same one. */
export interface Generation {
  /** Made from the time at which it first took the image's place. A later tree has a greater id, whatever the clock says. */
  id: GenerationId;
  /** When it first took the image's place. Absent for a tree that something else than maintenance put there. */
  published?: Timestamp;
  /** When another tree took its place. Only of an earlier tree. */
  retired?: Timestamp;
  /** The playbook that ran in it. */
  playbook?: Path;
  /** Checksum of that playbook's file. */
  playbook_sha256?: Checksum;
  /** How many of the playbook's tasks changed something. */
  tasks_changed?: Count;
  /** What became of the packages, against the tree before it. Absent where one of the two has no dpkg. */
  packages?: Change[];
  /** Options of `nspawn.runner.chroot` that it was made with. Absent when they are not known. */
  creation?: Record<string, string | string[]>;
  /**
   * Overlay mounts that named the image's place when it lost that: device number and options of each.
   * While one of them exists, a job may be using this tree, and it is not removed.
   */
  mounts?: string[];
}

/** A package that is not what it was. */
export interface Change {
  /** The package, with `:ARCHITECTURE` when that is a foreign one. */
  name: string;
  /** Version before. Absent when the package is new. */
  from?: string;
  /** Version after. Absent when the package was removed. */
  to?: string;
}

/** Maintenance leaves the image alone, so that it does not bring back what a rollback has undone. */
export interface Hold {
  /** Time of the rollback. */
  since: Timestamp;
  /** The tree that it put back. */
  generation: GenerationId;
}

/** How the last maintenance of the image went. */
export interface LastRun {
  /** When it began. */
  started: Timestamp;
  /** How long it took. */
  seconds: Seconds;
  /** What became of the image. Except for `published`, it has the tree that it had before. */
  result: "published" | "unchanged" | "failed" | "busy" | "held";
  /** How many of the playbook's tasks changed something. */
  tasks_changed: Count;
  /** What became of the packages, against the tree before it. Absent where that is not known. */
  packages?: Change[];
  /** What was done, or what failed. */
  msg: string;
  /** File with all that the run printed. */
  log: Path;
}
