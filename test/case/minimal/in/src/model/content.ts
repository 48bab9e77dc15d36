// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later

type Path = string;

/** A colour of a box. */
type Colour = "red" | "green";

/**
 * Lists boxes.
 *
 * A box is a directory. An empty one is a box too.
 *
 * @kind inventory
 * @name boxes
 * @since 1.0.0
 * @constructed
 */
export interface Boxes {
  /** The name of this plugin. */
  plugin: "acme.boxes.boxes";
  /**
   * Where boxes are.
   *
   * @default {layout.root}
   * @env BOX_ROOT
   * @since 1.1.0
   */
  root?: Path;
}

/**
 * Gives variables to boxes.
 *
 * @kind vars
 * @name box_vars
 * @since 1.0.0
 * @staging
 */
export interface BoxVars {
  /**
   * Files that are read, in this order.
   *
   * @ini boxes files
   * @env BOX_FILES
   * @env BOX_FILE_LIST
   * @var box_files
   */
  files?: Path[];
}

/**
 * Makes a box.
 *
 * @kind module
 * @name box
 * @since 1.0.0
 * @check_mode full
 * @diff_mode none
 */
export interface BoxModule {
  /** Name of the box. */
  name: string;
  /**
   * Colours that the box gets, such as `red`.
   *
   * @default ["red"]
   */
  colours?: Colour[];
}

/**
 * Variables of a box.
 *
 * @kind variables
 * @since 1.0.0
 */
export interface BoxVariables {
  /**
   * Directories that the box sees.
   *
   * @default []
   * @example ["/srv:/srv"]
   */
  box_binds?: string[];
  /**
   * Whether the box has a network.
   *
   * @default true
   */
  box_online?: boolean;
  /**
   * How many lids it has.
   *
   * @default 2
   * @minimum 1
   */
  box_lids?: number;
  /** What is written on it. */
  box_labels?: Record<string, string>;
  /** Its colour. */
  box_colour?: Colour;
}

/**
 * Variables that the collection sets.
 *
 * @kind variables
 * @derived
 * @since 1.0.0
 */
export interface BoxFacts {
  /** Where the box is. */
  box_path: Path;
}

/**
 * When something was.
 *
 * @pattern ^\d{4}$
 */
type Year = string;

/**
 * How many.
 *
 * @integer
 * @minimum 0
 */
type Count = number;

/**
 * What is known of a box.
 *
 * It is a file. Nobody edits it.
 *
 * @kind state
 * @name box_state
 * @since 1.0.0
 * @example {
 *   "format": 1, "weight": 0.5, "open": true, "made": "1999",
 *   "lids": [{"colour": "red", "count": 2}], "labels": {"a": "b"}
 * }
 */
export interface BoxState {
  /** Version of the format. */
  format: 1;
  /** What it weighs. */
  weight: number;
  /** Whether it is open. */
  open?: boolean;
  /** When it was made. */
  made?: Year;
  /** Its lids. */
  lids: readonly Lid[];
  /** What is written on it. */
  labels?: Record<string, string | string[]>;
}

/** A lid of a box. */
export interface Lid {
  /** Which colour it has. */
  colour: Colour;
  /** How many there are. */
  count: Count;
  /** Words on it. */
  words?: string[];
}

/**
 * A weight such as `2K`.
 *
 * @pattern ^[1-9]K$
 */
type Weight = string;

/** A number that need not be whole. */
type Decimal = number;

/**
 * Variables of jobs in a box.
 *
 * @kind variables
 * @since 1.0.0
 */
export interface BoxJobs {
  /**
   * What the lid weighs.
   *
   * @default 3K
   */
  box_job_weight?: Weight;
  /** How much it holds. */
  box_job_share?: Decimal;
  /**
   * How many jobs there are.
   *
   * @default 5
   * @minimum 3
   * @maximum 10
   */
  box_job_count?: number;
  /** Where things are. */
  box_job_places?: string[];
}
