# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# PRIVATE: for this collection only; it may change at any time.
# Generated from src/model/collection.ts: edit that, then run "npm run generate".
#
# Names that more than one language needs.

from __future__ import annotations

# Default of every `root`.
ROOT: str = "/var/lib/nspawn-runner"

# Directory of the private state in the root directory, with one directory per image, mode 0700.
STATE_DIRECTORY: str = ".nspawn-runner"

# Directory of the jobs that exist, with one directory per job, mode 0700.
JOBS_DIRECTORY: str = "/run/nspawn-runner/jobs"

# Prefix of an image's variables.
VARIABLE_PREFIX: str = "nspawn_runner_"

# Group of all images.
GROUP: str = "nspawn_runner"

# In an image's state directory: options of the image's containers for the wrapper, one per line.
CONTAINER_FILE: str = "container"

# In an image's state directory: settings of the image's jobs, as JSON.
JOB_FILE: str = "job.json"

# In an image's state directory: the output of the last run of the playbook.
LOG_FILE: str = "last.log"

# In an image's state directory: the staged tree, which is published when its maintenance is complete.
STAGED_DIRECTORY: str = "staged"

# In an image's state directory: the staged tree of the last maintenance that failed, where `nspawn_runner_keep_failed` is set; until a success.
FAILED_DIRECTORY: str = "failed"

# In an image's state directory: the tree of a creation before its playbook ran, for the next run of an image that has no tree yet.
SEED_DIRECTORY: str = "seed"

# In an image's state directory: the time and the origin of the seed, as JSON.
SEED_FILE: str = "seed.json"

# In an image's state directory: earlier trees, each in a directory named by the id.
GENERATIONS_DIRECTORY: str = "generations"

# In an image's state directory: the record of the image's trees, as JSON.
STATE_FILE: str = "state.json"

# Ends the name of the directory, beside the root directory, with copies of the records for groups: `nspawn_runner_state_group`.
SHARED_SUFFIX: str = "-state"
