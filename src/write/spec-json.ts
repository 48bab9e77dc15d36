// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// `spec.json`: the IR, for programs.

import type { Spec } from "../ir/spec.ts";
import { jsonText } from "./literal/json.ts";

export const specFile = (spec: Spec): string =>
  jsonText({ $comment: 'Generated from src/model: edit that, then run "npm run generate".', ...spec });
