// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// Ansible's markup, limited to ansible-core 2.14: it renders `C()`, but neither `O()` nor `V()`.

/** Prose of the model to prose of DOCUMENTATION. The reader refuses a closing parenthesis between backticks. */
export const ansibleMarkup = (text: string): string => text.replace(/`([^`]*)`/g, "C($1)");
