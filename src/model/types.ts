// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later

// The value types that the model's options use beside string, boolean, number, arrays and unions of literals.

/** A path on the host. */
export type Path = string;

/** A fully qualified name of Ansible content, such as `community.general.chroot`. */
export type Fqcn = string;

/** A shell glob that is matched against image names. */
export type Glob = string;

/** A URL. */
export type Url = string;
