# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Generated from src/model/tables.ts: edit that, then run "npm run generate".
#
# Sourced by nspawn-chroot.
# shellcheck shell=sh disable=SC2034

nspawn_playbook_directory=/etc/boxes
# Lowest version of systemd that has all flags of every call.
nspawn_minimum=240
# The box is full.
nspawn_status_full=75
# The box is broken.
nspawn_status_broken=125

# Environment of systemd-nspawn itself in every call, one variable per line.
# The log is loud too.
nspawn_environment=SYSTEMD_LOG=none

# nspawn_flags COMMAND [ARGUMENT...]: calls COMMAND with the flags of every call before the arguments.
# Needs $name (the image) and $machine (a unique name).
nspawn_flags() {
  nspawn_command=$1
  shift
  "$nspawn_command" \
    --quiet \
    --machine="${machine:?}" \
    "$@"
}

# The same with the additional flags of a staged tree.
nspawn_staged_flags() {
  nspawn_command=$1
  shift
  "$nspawn_command" \
    "$@"
}
