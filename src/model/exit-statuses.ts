// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later

// Exit statuses by which the wrapper nspawn-chroot reports for itself, declared for the wrapper (sh) and for its callers (Python).

export interface ExitStatus {
  /** Name in both languages. */
  readonly name: string;
  readonly status: number;
  /** When the wrapper ends with this status. */
  readonly when: string;
}

export const exitStatuses: readonly ExitStatus[] = [
  // EX_TEMPFAIL of sysexits.h: the caller may try again.
  {
    name: "busy",
    status: 75,
    when: "A maintenance, a job or another command holds the tree. No container was started.",
  },
  // The status that env(1), timeout(1) and systemd-nspawn's relatives keep for failures of their own.
  { name: "failed", status: 125, when: "The wrapper itself failed. No container was started." },
];
