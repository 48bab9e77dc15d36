// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later

// Value types of the model beside string, boolean, number, arrays and unions of literals.

/** A path on the host. */
export type Path = string;

/** A shell glob that is matched against image names. */
export type Glob = string;

/** A URL. */
export type Url = string;

/**
 * A time in UTC.
 *
 * @pattern ^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$
 */
export type Timestamp = string;

/**
 * The id of an image's tree.
 *
 * @pattern ^\d{8}T\d{6}Z$
 */
export type GenerationId = string;

/**
 * SHA-256 in hexadecimal.
 *
 * @pattern ^[0-9a-f]{64}$
 */
export type Checksum = string;

/**
 * A number of things.
 *
 * @integer
 * @minimum 0
 */
export type Count = number;

/**
 * A duration in seconds.
 *
 * @minimum 0
 */
export type Seconds = number;
