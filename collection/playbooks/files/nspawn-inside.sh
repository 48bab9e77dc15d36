# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Runs in the container as the first process, as the argument of /bin/sh -c. $1: the host's resolv.conf; the rest: the command.
# Without a command, only /etc/resolv.conf is repaired and directories in /run are made: the agent of a session asks for that before a task.
# -ef is in dash, busybox and bash; a list of files is split into words on purpose.
# shellcheck shell=sh disable=SC2015,SC2086,SC3013
#
# Bind mounts fit neither resolv.conf and hosts, which package scripts and tasks replace (EBUSY on a mount point), nor a file that is
# missing in the tree (an empty file would remain). So files are put in place before the command and removed after the command,
# unless the command has changed them. The next call repairs the remains of a killed call.

trap : HUP INT TERM
# The shell itself prints nothing, not even that a signal killed the command. The command may use descriptors from 3 on.
exec 9>&2 2>/dev/null
dns=$1
shift
environment=$NSPAWN_RUNNER_ENVIRONMENT
unset NSPAWN_RUNNER_ENVIRONMENT
resolv_conf=/etc/resolv.conf
hosts=/etc/hosts
host_mark=" # Placed by nspawn-chroot while it runs a command"
policy=/usr/sbin/policy-rc.d
# Debian's init scripts source the files in this directory.
hook=/usr/lib/lsb/init-functions.d/00-nspawn-chroot
# Copies that packages make of /etc/resolv.conf, and backups of Ansible.
copies="/etc/.resolv.conf.systemd-resolved.bak $resolv_conf.* /etc/resolvconf/resolv.conf.d/original /var/spool/postfix/etc/resolv.conf"
# Read by systemd-tmpfiles, and gone with the container.
run_directories=/run/tmpfiles.d/nspawn-runner.conf
mark="# Placed by nspawn-chroot while it runs a command: no daemon is started here."

exists() { [ -e "$1" ] || [ -L "$1" ]; }

# Sets text to the content of a file. Starts no program: cat alone would take longer than this whole script.
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
  if [ -L $resolv_conf ]; then
    target=$(readlink $resolv_conf)
    case $target in
      ../*) target=${target#..} ;;
      /*) ;;
      *) target=/etc/$target ;;
    esac
    [ /var/run -ef /run ] && case $target in /var/run/*) target=${target#/var} ;; esac
    case $target in
      */../*) ;;
      /run/*)
        # /run is empty in a new container, so the link has no target. A file there ends with the container.
        [ -e $resolv_conf ] || { mkdir -p "${target%/*}" && printf %s "$dns" >"$target"; }
        return
        ;;
    esac
  elif contents $resolv_conf && [ "$text" = "$dns" ]; then
    same=1
    return
  fi
  place $resolv_conf "$dns"
}

# Gives the host name an address, for hostname -f, unless the tree or the module myhostname of NSS does.
place_host_name() {
  contents /etc/nsswitch.conf
  case $text in *myhostname*) return ;; esac
  [ ! -L $hosts ] && read -r name </proc/sys/kernel/hostname || return
  contents $hosts
  case " $text" in *[[:space:]]"$name"[[:space:]]*) return ;; esac
  place $hosts "${text}127.0.1.1 $name$host_mark
"
}

# A file that the command has changed keeps the change.
restore_hosts() {
  restore $hosts && return
  contents $hosts
  case $text in *"$host_mark"*) ;; *) return ;; esac
  text=
  while IFS= read -r line || [ -n "$line" ]; do
    case $line in *"$host_mark") ;; *) text="$text$line
" ;; esac
  done <$hosts
  printf %s "$text" >$saved && mv -f $saved $hosts
}

# Gives a file another content. In this order the remains of a kill at any point differ from changes by the command.
place() {
  saved=/etc/.nspawn-chroot.saved.${1##*/}
  placed=/etc/.nspawn-chroot.placed.${1##*/}
  if [ -d "$1" ] && [ ! -L "$1" ]; then
    return
  elif exists "$1"; then
    mv "$1" $saved && printf %s "$2" >"$1" && printf %s "$2" >$placed || restore "$1"
  else
    printf %s "$2" >$placed && printf %s "$2" >"$1" || restore "$1"
  fi
}

# Adds the files that have to be removed to garbage. A file that the command has changed or removed stays so, and the status is not 0.
restore() {
  saved=/etc/.nspawn-chroot.saved.${1##*/}
  placed=/etc/.nspawn-chroot.placed.${1##*/}
  if [ -f $placed ]; then
    garbage="$garbage $placed $saved"
    contents $placed
    placed_text=$text
    contents "$1" && [ "$text" = "$placed_text" ] || return
    if exists $saved; then mv -f $saved "$1"; else garbage="$garbage $1"; fi
  elif exists $saved; then
    mv -f $saved "$1"
  fi
}

is_placed() { [ -f "$1" ] && { read -r text && read -r text; } <"$1" && [ "$text" = "$mark" ]; }

# By /run/systemd/container, Ansible and others know the kind of container. The other files: a task can make /etc/resolv.conf a link to them.
identify_container() {
  mkdir -p /run/systemd/resolve
  printf systemd-nspawn >/run/systemd/container
  for file in stub-resolv.conf resolv.conf; do
    [ -z "$dns" ] || printf %s "$dns" >/run/systemd/resolve/$file
  done
  # Ansible takes the name of the first process for the service manager. A directory /run/systemd/system would also tell package scripts
  # and pg_ctlcluster that systemd runs.
  [ ! -x /usr/bin/systemctl ] || printf systemd >/proc/$$/comm
}

# Makes the directories in /run that a boot or the start of a service makes. Programs that check a configuration need some: sshd -t fails without
# /run/sshd. /run/systemd/seats would tell PAM that logind runs.
make_run_directories() {
  mkdir -p "${run_directories%/*}"
  grep -HsE '^(RuntimeDirectory(Mode)?|User|Group)=' /usr/lib/systemd/system/*.service /etc/systemd/system/*.service |
    run_directories_of_units >$run_directories
  [ ! -x /usr/bin/systemd-tmpfiles ] || systemd-tmpfiles --create --prefix=/run --exclude-prefix=/run/systemd >/dev/null 2>&1
}

# Turns lines UNIT:KEY=VALUE, those of one unit together, into lines of tmpfiles.d(5).
run_directories_of_units() {
  unit=
  while IFS= read -r line || [ -n "$line" ]; do
    if [ "$unit" != "${line%%:*}" ]; then
      [ -z "$unit" ] || print_run_directories
      unit=${line%%:*}
      directories='' mode=0755 user=root group=''
    fi
    value=${line#*=}
    case ${line#*:} in
      RuntimeDirectory=*) directories="$directories ${value:-}" ;;
      RuntimeDirectoryMode=*) mode=$value ;;
      User=*) user=$value ;;
      Group=*) group=$value ;;
    esac
  done
  [ -z "$unit" ] || print_run_directories
}

print_run_directories() {
  [ -n "$directories" ] || return
  # Without Group=, a service has the user's first group.
  if [ -z "$group" ] && [ "$user" != root ]; then
    while IFS=: read -r name _ _ first_group _; do
      [ "$name" != "$user" ] || group=$first_group
    done </etc/passwd
  fi
  set -f
  for directory in $directories; do
    # Not those of instances, and without the name of a link to the directory.
    case $directory in *%*) ;; *) printf 'd /run/%s %s %s %s\n' "${directory%%:*}" "$mode" "$user" "${group:--}" ;; esac
  done
  set +f
}

# Package scripts ask the policy. Init scripts, which the command service and Ansible's module sysvinit run, do not.
forbid_daemons() {
  if [ -x /usr/bin/dpkg ] && { is_placed $policy || ! exists $policy; } && [ ! -x $policy ]; then
    printf %s "#!/bin/sh
$mark
exit 101
" >$policy && chmod 755 $policy
  fi
  [ ! -d "${hook%/*}" ] || printf %s "#!/bin/sh
$mark
case \" \$* \" in *' start '* | *' restart '* | *' try-restart '* | *' reload '* | *' force-reload '*)
  echo \"\$0: not run, since no daemon is started in an image\"
  exit 0
  ;;
esac
" >$hook
}

garbage=
restore $resolv_conf
[ $# -eq 0 ] || restore_hosts
[ -z "$garbage" ] || rm -f $garbage
same=
place_resolv_conf
# Some 60 ms: for a session once, not for each command of the wrapper.
[ $# -gt 0 ] || {
  make_run_directories
  exit
}
place_host_name
identify_container
forbid_daemons

# Exports the image's own variables, one per line.
set_environment() {
  IFS='
'
  set -f
  for assignment in $environment; do export "${assignment?}"; done
}

# exec, so that the command is never a builtin of this shell.
(
  exec 2>&9 9>&-
  set_environment
  exec "$@"
)
status=$?

garbage=
restore $resolv_conf
restore_hosts
for file in $policy $hook; do
  is_placed $file && garbage="$garbage $file"
done
[ -n "$same" ] || copies="$copies $resolv_conf"
for file in $copies; do
  [ -n "$dns" ] && contents $file && [ "$text" = "$dns" ] && garbage="$garbage $file"
done
[ -z "$garbage" ] || rm -f $garbage
exit $status
