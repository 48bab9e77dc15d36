#!/usr/bin/python
# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

# The documentation of the action plugin of the same name, which does the work on the controller.
DOCUMENTATION = r"""
module: status
short_description: "Shows the present state of each image: system, result of the last run and since when runs end like this, failed runs in a row,
  age and size of the tree, hold, and the containers, processes and mounts that use the image's trees"
author: The nspawn.runner authors (@nspawn-runner)
extends_documentation_fragment:
  - nspawn.runner._status
  - ansible.builtin.action_common_attributes
seealso:
  - module: nspawn.runner.generations
  - module: nspawn.runner.doctor
"""

EXAMPLES = r"""
# The playbook nspawn.runner.status does the same, and fails when an image has a problem.
- name: Show the state of each image
  hosts: nspawn_runner
  connection: local
  gather_facts: false
  tasks:
    - name: Show the state
      nspawn.runner.status:
        format: json
      run_once: true
      register: nspawn_runner_images
"""

RETURN = r"""
images:
  description:
    - The state of each image, by the image's name. Times are in UTC, and a value that is not known is null.
    - C(result), C(started), C(since), C(failed_runs) and C(hold) are as in C(state.json); C(published) and C(generation) are of the present tree.
    - C(size) is in bytes, C(generations) is the number of earlier trees, and C(used_by) names containers, processes and mounts that use the
      image's trees.
    - C(jobs) names the jobs of the program nspawn-runner on the image.
    - C(problem) is the reason why the image needs attention. An image whose record cannot be read has no further values.
  returned: always
  type: dict
  sample:
    sid:
      image: sid
      system: Debian GNU/Linux forky/sid
      problem:
      result: unchanged
      started: "2026-11-24T23:14:31Z"
      since: "2026-11-22T23:14:02Z"
      failed_runs: 0
      published: "2026-11-21T23:15:00Z"
      generation: 20261121T231500Z
      hold:
      present: true
      size: 481296384
      generations: 2
      used_by: [container job1]
      jobs: [{image: sid, generation: 20261121T231500Z, name: 0123456789abcdef, label: "4711"}]
problems:
  description: Number of images with a problem.
  returned: always
  type: int
  sample: 0
msg:
  description: The number of images with a problem, as a sentence.
  returned: always
  type: str
  sample: 0 images with a problem
"""
