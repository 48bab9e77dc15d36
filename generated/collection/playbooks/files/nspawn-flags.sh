# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Generated from src/model/nspawn-flags.ts, src/model/exit-statuses.ts, src/model/collection.ts: edit that, then run "npm run generate".
#
# Sourced by nspawn-chroot.
# shellcheck shell=sh disable=SC2034

nspawn_state_directory=.nspawn-runner
nspawn_container_file=container
# Lowest version of systemd that has all flags of every call.
nspawn_minimum=249
# A maintenance, a job or another command holds the tree. No container was started.
nspawn_status_busy=75
# The wrapper itself failed. No container was started.
nspawn_status_failed=125

# Environment of systemd-nspawn itself in every call, one variable per line.
# /tmp is kept between two calls, which tasks rely on.
# As the first process of a PID namespace, systemd-nspawn would write the reason for a failed start to the host's journal only.
nspawn_environment='SYSTEMD_NSPAWN_TMPFS_TMP=0
SYSTEMD_LOG_TARGET=console'

# nspawn_flags COMMAND [ARGUMENT...]: calls COMMAND with the flags of every call before the arguments.
# Needs $name (the image) and $machine (a unique name).
nspawn_flags() {
  nspawn_command=$1
  shift
  "$nspawn_command" \
    --register=no \
    --keep-unit \
    --settings=no \
    --quiet \
    --console=pipe \
    --link-journal=no \
    --timezone=off \
    --resolv-conf=off \
    --machine="${machine:?}" \
    --hostname="${name:?}" \
    --private-users=pick \
    --private-users-ownership=map \
    --drop-capability=CAP_MKNOD \
    --setenv=NSPAWN_RUNNER_ENVIRONMENT \
    --setenv=SYSTEMD_OFFLINE=1 \
    "$@"
}

# The same with the additional flags of a staged tree.
nspawn_staged_flags() {
  nspawn_command=$1
  shift
  "$nspawn_command" \
    --setenv=DPKG_FORCE=security-mac,downgrade,unsafe-io \
    "$@"
}
