# STUB until generated
# Sourced by nspawn-chroot.
nspawn_state_directory=.nspawn-runner
nspawn_container_file=container
# nspawn_environment NAME=VALUE...: exported before the call. nspawn_flags NAME MACHINE: sets the positional parameters' flags
export SYSTEMD_NSPAWN_TMPFS_TMP=0
# nspawn TREE ... : runs systemd-nspawn with the flags of every call; needs $name (the image) and $machine (a unique name).
nspawn() {
  systemd-nspawn \
    --register=no \
    --keep-unit \
    --settings=no \
    --quiet \
    --console=pipe \
    --as-pid2 \
    --link-journal=no \
    --timezone=off \
    --resolv-conf=off \
    --machine="$machine" \
    --hostname="$name" \
    --drop-capability=CAP_MKNOD \
    --setenv=SYSTEMD_OFFLINE=1 \
    "$@"
}
