# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Generated from src/model/tables.ts: edit that, then run "npm run generate".
#
# Sourced by nspawn-chroot.
# shellcheck shell=sh disable=SC2034

nspawn_playbook_directory='/etc/it'\''s $HOME `id` \ "x"'
# Lowest version of systemd that has all flags of every call.
nspawn_minimum=232
# A `back|tick`, 100 % <sure> and a \ backslash.
nspawn_status_s=1

# Environment of systemd-nspawn itself in every call, one variable per line.
# Words.
nspawn_environment='X=a b'"${machine:?}"c

# nspawn_flags COMMAND [ARGUMENT...]: calls COMMAND with the flags of every call before the arguments.
# Needs $name (the image) and $machine (a unique name).
nspawn_flags() {
  nspawn_command=$1
  shift
  "$nspawn_command" \
    --setenv=A="${name:?}"' it'\''s $(id)' \
    "$@"
}

# The same with the additional flags of a staged tree.
nspawn_staged_flags() {
  nspawn_command=$1
  shift
  "$nspawn_command" \
    '--y=it'\''s $HOME' \
    "$@"
}
