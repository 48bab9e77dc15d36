// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later

// The playbooks of the collection, for the reference pages; ansible-doc has no type for them.

export interface Playbook {
  readonly name: string;
  readonly does: string;
  readonly hosts: string;
  readonly example: string;
  /** Variables of the playbook, for `-e`, beside those of images. Any other variable of the collection is refused. */
  readonly variables?: readonly string[];
}

export const playbooks: readonly Playbook[] = [
  {
    name: "nspawn.runner.create",
    does: "Creates every missing image, several at a time, and runs the playbook of each.",
    hosts: "nspawn_runner_missing",
    example: "ansible-playbook -i nspawn_runner.yml nspawn.runner.create",
  },
  {
    name: "nspawn.runner.maintenance",
    does: "Creates missing images and maintains every declared image, several at a time: each in a copy, which takes the image's place when the playbook has run to its end.",
    hosts: "nspawn_runner_declared",
    example: "ansible-playbook -i nspawn_runner.yml nspawn.runner.maintenance --limit trixie",
  },
  {
    name: "nspawn.runner.rollback",
    does: "Puts an earlier tree of an image back, the last one or `-e nspawn_runner_generation=ID`, and holds the image: maintenance skips the image until it is released.",
    hosts: "nspawn_runner",
    example: "ansible-playbook -i nspawn_runner.yml nspawn.runner.rollback --limit sid",
    variables: ["nspawn_runner_generation"],
  },
  {
    name: "nspawn.runner.release",
    does: "Ends the hold of an image after a rollback: the next maintenance works on it again.",
    hosts: "nspawn_runner",
    example: "ansible-playbook -i nspawn_runner.yml nspawn.runner.release --limit sid",
  },
  {
    name: "nspawn.runner.generations",
    does: "Lists the published and the earlier trees of each image, with age, origin and changes.",
    hosts: "nspawn_runner",
    example: "ansible-playbook -i nspawn_runner.yml nspawn.runner.generations",
  },
  {
    name: "nspawn.runner.remove",
    does: "Removes the image of `-e nspawn_runner_remove=NAME` from this host: the tree, the earlier trees and the private files. An image on which a job runs is refused, and the image's playbook stays.",
    hosts: "localhost",
    example: "ansible-playbook -i nspawn_runner.yml nspawn.runner.remove -e nspawn_runner_remove=jessie",
    variables: ["nspawn_runner_remove"],
  },
  {
    name: "nspawn.runner.status",
    does: "Shows the present state of each image: last run, age, size, hold and users of the tree; with `-e nspawn_runner_status_format=json` as one line of JSON. Fails when an image has a problem.",
    hosts: "nspawn_runner",
    example: "ansible-playbook -i nspawn_runner.yml nspawn.runner.status",
    variables: ["nspawn_runner_status_format"],
  },
  {
    name: "nspawn.runner.doctor",
    does: "Shows whether this host is ready: a line per check, with a remedy. Fails when there is a problem, but not for warnings alone.",
    hosts: "localhost",
    example: "ansible-playbook -i nspawn_runner.yml nspawn.runner.doctor",
  },
];
