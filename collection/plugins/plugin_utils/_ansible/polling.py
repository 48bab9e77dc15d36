# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the interval at which Ansible's main process polls for results. Names can change at any time.

from __future__ import annotations

from ansible import constants as C

_OPTION = "DEFAULT_INTERNAL_POLL_INTERVAL"
# Seconds.
_INTERVAL = 0.01


def poll_less() -> None:
    """Sets the interval of this process to a hundredth of a second, unless the user has set one.

    Ansible's default of a thousandth takes about 6% of a processor all the time, and a maintenance starts one more ansible-playbook per image.
    """
    _value, origin = C.config.get_config_value_and_origin(_OPTION)
    if origin == "default":
        C.set_constant(_OPTION, _INTERVAL)
