// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * Says """ and ends in a backslash \.
 *
 * - a list that is none: yes.
 *
 * It's "quoted", {braced}, [bracketed] and éàü.
 *
 * @kind module
 * @name nasty
 * @since 1.0.0
 * @check_mode none
 * @diff_mode none
 * @creation
 */
export interface Nasty {
  /**
   * A switch that YAML takes for a boolean: `yes`, `on`, `'`.
   *
   * @default no
   */
  word?: "yes" | "no" | "on" | "1" | "0x1f" | "null" | "1:30" | "=";
  /**
   * Text.
   *
   * @default {layout.root}
   */
  text?: string;
  /**
   * A list.
   *
   * @default ["", " ", "a: b", "- c", "#d", "\"", "\\", "{{ e }}", "%f", "@g", "`h", "\n", "é", "yes", "1e3", "012"]
   */
  list?: string[];
  /**
   * A dictionary.
   *
   * @default {"a: b": "null", "yes": "~", "x": ""}
   */
  dict?: Record<string, string>;
}

/**
 * Variables.
 *
 * @kind variables
 * @since 1.0.0
 */
export interface Variables {
  /**
   * A word, not `n_text`, in `{{ n_place }}`.
   *
   * @default off
   * @example on
   * @option made_of
   */
  n_text?: "on" | "off";
  /**
   * Parts, each with `n_text`.
   *
   * @example [{"yes": "no", "paths": ["a: b"]}]
   * @option parts
   */
  n_parts?: Part[];
}

/** A part. */
export interface Part {
  /** A word | that YAML takes for a boolean. */
  yes: "yes" | "no";
  /**
   * A list of `n_text`.
   *
   * @default ["#d"]
   */
  paths?: string[];
}

/**
 * Says """ | and ends in `a|b`.
 *
 * It's "quoted", {braced}, <b>html</b>, *starred* and \ éàü.
 *
 * @kind state
 * @name nasty_state
 * @since 1.0.0
 * @example {"word": "```\n\u00e9 | \\"}
 */
export interface NastyState {
  /** A pipe | in a table, <b>html</b>. */
  word: "```" | "a|b" | "\\" | "'\"";
}
