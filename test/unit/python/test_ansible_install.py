# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

pytest.importorskip("ansible", reason="plugin_utils are for Ansible's plugins")

from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.install import install_remedy


@pytest.mark.parametrize(
    ("plugin", "remedy"),
    [
        pytest.param("example.none.chroot", "run ansible-galaxy collection install example.none", id="a plugin of a collection"),
        pytest.param(
            "community.general.chroot",
            "run apt install ansible, or ansible-galaxy collection install community.general",
            id="a plugin of a package of Debian's",
        ),
        pytest.param("ssh", "", id="a short name"),
        pytest.param("ansible.builtin.ssh", "", id="a plugin of Ansible itself"),
        pytest.param("", "", id="no name"),
    ],
)
def test_install_remedy(plugin: str, remedy: str) -> None:
    assert install_remedy(plugin) == remedy
