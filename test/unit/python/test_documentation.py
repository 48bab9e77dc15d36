# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Descriptions in the plugins' own files, which ansible-doc -l reads without the generated fragments.

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

TOP = Path(__file__).parents[3]
FOLDERS = {"inventory": "inventory", "vars": "vars", "connection": "connection", "module": "modules", "action": "modules"}
DOCUMENTS = [document for document in json.loads((TOP / "generated/spec.json").read_text())["documents"] if document["kind"] in FOLDERS]


@pytest.mark.parametrize("document", DOCUMENTS, ids=[document["name"] for document in DOCUMENTS])
def test_the_file_of_a_plugin_has_the_short_description_of_the_model(document: dict[str, Any]) -> None:
    text = (TOP / "collection/plugins" / FOLDERS[document["kind"]] / f"{document['name']}.py").read_text()
    found = re.search(r'^short_description: ("?)(.+(?:\n  .+)*)\1$', text, re.MULTILINE)
    assert found is not None
    assert " ".join(found[2].split()) == document["short"].replace("`", "").removesuffix(".")
