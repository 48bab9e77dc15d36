# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Functions of the operating system, replaced for one module of the collection. pytest needs the real ones to report a failure.

from __future__ import annotations

from types import ModuleType, SimpleNamespace
from typing import Any

import pytest


def replace_os(monkeypatch: pytest.MonkeyPatch, module: ModuleType, **functions: Any) -> None:
    monkeypatch.setattr(module, "os", SimpleNamespace(**{**vars(module.os), **functions}))


def replace_os_path(monkeypatch: pytest.MonkeyPatch, module: ModuleType, **functions: Any) -> None:
    replace_os(monkeypatch, module, path=SimpleNamespace(**{**vars(module.os.path), **functions}))
