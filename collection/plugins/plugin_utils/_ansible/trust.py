# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: marks text that Ansible may render as a template, and text that Ansible must not. Names can change at any time.

from __future__ import annotations

import io
import re
from typing import Any

from ansible.parsing.yaml.loader import AnsibleLoader

try:
    from ansible.template import trust_as_template
except ImportError:  # Before ansible-core 2.19 Ansible renders every string that is not marked unsafe.
    from ansible.utils.unsafe_proxy import wrap_var

    trust_as_template = None
else:
    wrap_var = None

# Words and at most one pair of parentheses around words: no template, whichever delimiters a task sets.
_PLAIN = re.compile(r"[\w ./:,;!'\"+~=-]*(?:\([\w .+-]*\))?", re.ASCII)


def unsafe(value: str) -> str:
    """Text that Ansible must never render: text from a tree, a path, a message that quotes a file.

    Text that cannot be a template stays an ordinary string: ansible-inventory shows a marked one as {"__ansible_unsafe": ...}.
    """
    if trust_as_template is None:
        return value if _PLAIN.fullmatch(value) else wrap_var(value)
    # Since 2.19 Ansible renders only text that is tagged as trusted.
    return trust_as_template(value) if _PLAIN.fullmatch(value) else value


def user_yaml(text: str, path: str, loader: Any) -> Any:
    """Ansible's YAML loader over text that the user wrote: templates in the text are trusted, vault values stay encrypted.

    The class below DataLoader.load, since that function can only construct a whole document.
    """
    if trust_as_template is None:
        return AnsibleLoader(text, file_name=path, vault_secrets=loader._vault.secrets)
    stream = io.StringIO(text)
    stream.name = path
    return AnsibleLoader(trust_as_template(stream))
