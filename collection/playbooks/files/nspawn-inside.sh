# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Runs in the container, as the argument of /bin/sh -c. $1: the host's resolv.conf; the rest: the command.
# -ef is in dash, busybox and bash; a list of files is split into words on purpose.
# shellcheck shell=sh disable=SC2015,SC2086,SC3013
#
# Bind mounts would do neither for resolv.conf, which package scripts and tasks replace (EBUSY on a mount point), nor for a
# file that is missing in the tree (an empty one stays). So files are put in place before the command and taken away after
# it, unless it has changed them. What a killed call leaves is repaired by the next one.

trap : HUP INT TERM
# The shell has nothing to say, not even that a signal killed the command. Descriptors from 3 on can be the command's.
exec 9>&2 2>/dev/null
dns=$1
shift
own=/etc/resolv.conf
saved=/etc/.nspawn-chroot.saved
placed=/etc/.nspawn-chroot.placed
policy=/usr/sbin/policy-rc.d
mark="# Placed by nspawn-chroot while it runs a command: no daemon is started here."

exists() { [ -e "$1" ] || [ -L "$1" ]; }

# Sets text. No cat: a program costs more than all of this.
contents() {
  text=
  [ -f "$1" ] && [ ! -L "$1" ] || return
  while IFS= read -r line || [ -n "$line" ]; do
    text="$text$line
"
  done <"$1"
}

place_resolv_conf() {
  [ -n "$dns" ] || return
  if [ -L $own ]; then
    target=$(readlink $own)
    case $target in
      ../*) target=${target#..} ;;
      /*) ;;
      *) target=/etc/$target ;;
    esac
    [ /var/run -ef /run ] && case $target in /var/run/*) target=${target#/var} ;; esac
    case $target in
      */../*) ;;
      /run/*)
        # /run is empty in a new container, so the link dangles, and what stands there goes with the container.
        [ -e $own ] || { mkdir -p "${target%/*}" && printf %s "$dns" >"$target"; }
        return
        ;;
    esac
  elif contents $own && [ "$text" = "$dns" ]; then
    return
  fi
  # In this order, so that a kill at any point can be told from what the command did.
  if [ -d $own ] && [ ! -L $own ]; then
    return
  elif exists $own; then
    mv $own $saved && printf %s "$dns" >$own && printf %s "$dns" >$placed || restore_resolv_conf
  else
    printf %s "$dns" >$placed && printf %s "$dns" >$own || restore_resolv_conf
  fi
}

# Sets garbage. A command that has changed or removed the file has the last word.
restore_resolv_conf() {
  garbage=
  if [ -f $placed ]; then
    garbage="$placed $saved"
    contents $placed
    ours=$text
    contents $own && [ "$text" = "$ours" ] || return
    if exists $saved; then mv -f $saved $own; else garbage="$garbage $own"; fi
  elif exists $saved; then
    mv -f $saved $own
  fi
}

our_policy() { [ -f $policy ] && { read -r text && read -r text; } <$policy && [ "$text" = "$mark" ]; }

exists $placed || exists $saved && { restore_resolv_conf; rm -f $garbage; }
place_resolv_conf
if [ -x /usr/bin/dpkg ] && { our_policy || ! exists $policy; } && [ ! -x $policy ]; then
  printf %s "#!/bin/sh
$mark
exit 101
" >$policy && chmod 755 $policy
fi

# exec, so that no builtin of this shell is taken for the command.
(exec "$@" 2>&9 9>&-)
status=$?

restore_resolv_conf
our_policy && garbage="$garbage $policy"
[ -z "$garbage" ] || rm -f $garbage
exit $status
