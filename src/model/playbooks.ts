// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later

// The playbooks of the collection, for the reference pages; ansible-doc has no type for them.

export interface Playbook {
  readonly name: string;
  readonly does: string;
  readonly hosts: string;
  readonly example: string;
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
    does: "Creates what is missing and runs the playbook of every declared image, several at a time.",
    hosts: "nspawn_runner_declared",
    example: "ansible-playbook -i nspawn_runner.yml nspawn.runner.maintenance --limit trixie",
  },
];
