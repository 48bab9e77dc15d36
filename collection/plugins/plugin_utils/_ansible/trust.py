# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: what Ansible may render as a template and what not. Names can change at any time.

from __future__ import annotations

import io
import re
from typing import Any

from ansible.parsing.yaml.loader import AnsibleLoader

try:
    from ansible.template import trust_as_template
except ImportError:  # Before ansible-core 2.19 every string is rendered that is not marked unsafe.
    from ansible.utils.unsafe_proxy import wrap_var

    trust_as_template = None
else:
    wrap_var = None

# Words and at most one pair of parentheses around words: no template, whatever delimiters a task sets.
_PLAIN = re.compile(r"[\w ./:,;!'\"+~=-]*(?:\([\w .+-]*\))?", re.ASCII)


def unsafe(value: str) -> str:
    """Text that Ansible must never render: all that is read from a tree, paths, and messages that quote a file.

    What cannot be a template stays an ordinary string: ansible-inventory shows others as {"__ansible_unsafe": ...}.
    """
    if trust_as_template is None:
        return value if _PLAIN.fullmatch(value) else wrap_var(value)
    # From 2.19 on, text that nothing has tagged as trusted is never rendered.
    return trust_as_template(value) if _PLAIN.fullmatch(value) else value


def user_yaml(text: str, path: str, loader: Any) -> Any:
    """Ansible's YAML loader over text that the user wrote: templates in it are trusted, vault values stay encrypted.

    It is the class below DataLoader.load, which can only construct a whole document.
    """
    if trust_as_template is None:
        return AnsibleLoader(text, file_name=path, vault_secrets=loader._vault.secrets)
    stream = io.StringIO(text)
    stream.name = path
    return AnsibleLoader(trust_as_template(stream))
