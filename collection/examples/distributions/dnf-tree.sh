#!/bin/sh
# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# dnf-tree.sh TREE RELEASE KEY URLS PACKAGE...: fills a directory with packages of Fedora or a relative of it, by Debian's package dnf.
# KEY: the file with the key of the packages. URLS: the repositories, with spaces between. For nspawn_runner_create_command, which runs
# this script in mount and PID namespaces of its own: all mounts end with the script.

set -eu
tree=$1 release=$2 key=$3 urls=$4
shift 4
state=$(mktemp -d)
# dnf makes a directory of this name in the tree, too.
trap 'rm -rf "$state" "$tree$state"' EXIT

# Debian's dnf has no repositories, and Debian's rpm keeps the database in another place than Fedora's: in the tree's /root/.rpmdb (Debian 12)
# or /var/lib/rpm, where no program of the tree would find it.
mkdir "$state/repos" "$state/vars"
: >"$state/dnf.conf"
echo '%_dbpath /usr/lib/sysimage/rpm' >"$state/.rpmmacros"
number=0
for url in $urls; do
  number=$((number + 1))
  cat >"$state/repos/$number.repo" <<END
[repository-$number]
name=$url
baseurl=$url
gpgcheck=1
gpgkey=file://$key
skip_if_unavailable=0
END
done

# Without these, scripts of packages fail, and dnf reports success.
mkdir -p "$tree/proc" "$tree/sys" "$tree/dev"
mount -t proc proc "$tree/proc"
mount --rbind /sys "$tree/sys"
mount -t tmpfs -o mode=755 dev "$tree/dev"
for device in null zero full random urandom tty; do
  : >"$tree/dev/$device"
  mount --bind "/dev/$device" "$tree/dev/$device"
done
ln -s /proc/self/fd "$tree/dev/fd"
ln -s fd/0 "$tree/dev/stdin"
ln -s fd/1 "$tree/dev/stdout"
ln -s fd/2 "$tree/dev/stderr"

HOME=$state dnf --assumeyes --config="$state/dnf.conf" --setopt=reposdir="$state/repos" --setopt=varsdir="$state/vars" \
  --setopt=cachedir="$state/cache" --setopt=plugins=0 --setopt=install_weak_deps=False --setopt=tsflags=nodocs --setopt=best=1 \
  --installroot="$tree" --releasever="$release" install "$@"
