# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: facts that Ansible must not take for variables. A tree can return any fact. Names can change at any time.

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleFileNotFound

from ansible_collections.nspawn.runner.plugins.module_utils._spec.variables import DERIVED, VARIABLES

# Variables that Ansible itself sets:
# https://docs.ansible.com/ansible/latest/reference_appendices/special_variables.html, the executor, the strategies, and gather_facts.
_SPECIAL = """
    ansible_async_path ansible_check_mode ansible_collection_name ansible_config_file ansible_current_hosts ansible_delegated_vars
    ansible_dependent_role_names ansible_diff_mode ansible_facts ansible_facts_parallel ansible_failed_hosts ansible_failed_result
    ansible_failed_task ansible_forks ansible_index_var ansible_inventory_sources ansible_limit ansible_loop ansible_loop_var
    ansible_parent_role_names ansible_parent_role_paths ansible_play_batch ansible_play_hosts ansible_play_hosts_all ansible_play_name
    ansible_play_role_names ansible_playbook_python ansible_role_name ansible_role_names ansible_run_tags ansible_search_path ansible_skip_tags
    ansible_verbosity ansible_version environment group_names groups hostvars inventory_dir inventory_file inventory_hostname
    inventory_hostname_short item omit play_hosts playbook_dir role_name role_names role_path role_uuid vars
"""
# Variables that are options of the lookup url, which is too slow to load for this list.
_LOOKUP_URL = """
    ansible_lookup_url_agent ansible_lookup_url_ca_path ansible_lookup_url_ciphers ansible_lookup_url_follow_redirects ansible_lookup_url_force
    ansible_lookup_url_force_basic_auth ansible_lookup_url_timeout ansible_lookup_url_unix_socket ansible_lookup_url_unredir_headers
    ansible_lookup_url_use_gssapi ansible_lookup_url_use_netrc
"""


def refuse_facts(names: Iterable[str]) -> None:
    """Has Ansible strip facts with these names when it makes variables of facts, in this process and its forks.

    The constant exists for this purpose in each version of ansible-core from 2.14 to 2.22.
    """
    C.set_constant("RESTRICTED_RESULT_KEYS", tuple(dict.fromkeys((*C.RESTRICTED_RESULT_KEYS, *names))))


def refuse_special_facts(*plugins: tuple[str, Any]) -> None:
    """Refuses facts with the names of Ansible's special variables, of this collection's variables, and of options of Ansible and of these plugins.

    `plugins`: types and classes.
    """
    definitions = [C.config.get_configuration_definitions(), *(C.config.get_configuration_definitions(kind, plugin._load_name) for kind, plugin in plugins)]
    options = [entry["name"] for options in definitions for option in options.values() for entry in option.get("vars") or ()]
    refuse_facts((*_SPECIAL.split(), *_LOOKUP_URL.split(), *options, *VARIABLES, *DERIVED))


def refuse_overriding_facts(manager: Any) -> None:
    """Has this manager of variables refuse each fact that has the name of another variable of the play, of a task, or of the inventory.

    Ansible itself lets facts override variables of the inventory and defaults of roles, and in a loop all variables.
    """
    get_vars = manager.get_vars

    def get_vars_first(play: Any = None, host: Any = None, *args: Any, **kwargs: Any) -> Any:
        cache, manager._fact_cache = manager._fact_cache, {host.name: {}} if host else {}
        try:
            # Before 2.16, a name in vars_files that contains a fact is an error without facts.
            with suppress(AnsibleFileNotFound):
                refuse_facts(get_vars(play, host, *args, **kwargs))
        finally:
            manager._fact_cache = cache
        return get_vars(play, host, *args, **kwargs)

    manager.get_vars = get_vars_first
