// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// All outputs of the spec: path in the checkout -> text.

import { ofKind, type Spec } from "../ir/spec.ts";
import { argumentSpecsFile } from "./argument-spec.ts";
import { bootstrapToolsFile } from "./bootstrap-tools.ts";
import { completionFile } from "./completion.ts";
import { distributionsFile } from "./distributions.ts";
import { docFragmentFile } from "./doc-fragment.ts";
import { exitStatusesFile } from "./exit-statuses.ts";
import { galaxyFile, runtimeFile } from "./galaxy.ts";
import { ignoredFile } from "./ignored-paths.ts";
import { jobSettingsFile } from "./job-settings.ts";
import { layoutFile } from "./layout.ts";
import { jsonText } from "./literal/json.ts";
import { nspawnFlagsPython, nspawnFlagsSh } from "./nspawn-flags.ts";
import { programFile } from "./program.ts";
import { referencePages } from "./reference/index.ts";
import { inventorySchema } from "./schema/inventory.ts";
import { playbookSchema, variablesSchema } from "./schema/playbook.ts";
import { stateSchema } from "./schema/state.ts";
import { specFile } from "./spec-json.ts";
import { stateTypesFile } from "./state-types.ts";
import { variablesFile } from "./variables.ts";

export type Output = readonly [path: string, content: string];

export function writeSpec(spec: Spec): readonly Output[] {
  const outputs: Output[] = [
    ["spec.json", specFile(spec)],
    ["schema/playbook.schema.json", jsonText(playbookSchema(spec))],
    ["schema/variables.schema.json", jsonText(variablesSchema(spec))],
    ...ofKind(spec, "inventory").map((document) => inventorySchemaOutput(spec, document)),
    ...spec.states.map((state): Output => [`schema/${state.name}.schema.json`, jsonText(stateSchema(state))]),
    ...referencePages(spec).map(([name, content]): Output => [`reference/${name}`, content]),
    ...collectionOutputs(spec).map(([path, content]): Output => [`collection/${path}`, content]),
  ];
  return outputs.map(([path, content]) => [`generated/${path}`, content]);
}

function inventorySchemaOutput(spec: Spec, document: Parameters<typeof inventorySchema>[1]): Output {
  return ["schema/nspawn_runner.schema.json", jsonText(inventorySchema(spec, document))];
}

function collectionOutputs(spec: Spec): readonly Output[] {
  const utils: Output[] = [
    ["layout.py", layoutFile(spec)],
    ["variables.py", variablesFile(spec)],
    ["ignored.py", ignoredFile(spec)],
    ["bootstrap_tools.py", bootstrapToolsFile(spec)],
    ["distributions.py", distributionsFile(spec)],
    ["nspawn_flags.py", nspawnFlagsPython(spec)],
    ["exit_statuses.py", exitStatusesFile(spec)],
    ["image_state.py", stateTypesFile(spec)],
    ["argument_specs.py", argumentSpecsFile(spec)],
    ["program.py", programFile(spec)],
    ["job_settings.py", jobSettingsFile(spec)],
  ];
  const fragments = ofKind(spec, "inventory", "vars", "connection", "module", "action").map(
    (document): Output => [`_${document.name}.py`, docFragmentFile(document)],
  );
  return [
    ["galaxy.yml", galaxyFile(spec)],
    ["meta/runtime.yml", runtimeFile(spec)],
    ["playbooks/files/nspawn-flags.sh", nspawnFlagsSh(spec)],
    [`playbooks/files/${spec.program.name}.bash`, completionFile(spec)],
    ...utils.map(([name, content]): Output => [`plugins/module_utils/_spec/${name}`, content]),
    ...fragments.map(([name, content]): Output => [`plugins/doc_fragments/${name}`, content]),
  ];
}
