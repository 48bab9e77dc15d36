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

/** A number that need not be whole. */
export type Decimal = number;

/**
 * A size in bytes with a unit of 1024, such as `512M` or `2G`.
 *
 * @pattern ^[1-9][0-9]{0,5}[KMGT]$
 */
export type Size = string;

/**
 * A size such as `512M` or `2G`, or `0` for none.
 *
 * @pattern ^(0|[1-9][0-9]{0,5}[KMGT])$
 */
export type SizeOrNone = string;

/**
 * A size such as `512M` or `2G`, or a part of the host's memory such as `40%`.
 *
 * @pattern ^([1-9][0-9]{0,5}[KMGT]|([1-9][0-9]?|100)%)$
 */
export type SizeOrShare = string;

/**
 * A name of a user such as `build`, or a number of a user such as `1000`.
 *
 * @pattern ^([a-z_][a-z0-9_-]{0,31}|0|[1-9][0-9]{0,4})$
 */
export type UserName = string;
