// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// A tree with every kind of file, and a full description of a tree.

import { mkdir } from "node:fs/promises";
import { execa } from "execa";

const PATH = `${process.env["PATH"]}:/usr/sbin:/sbin`;

const FILL = `
set -e
umask 022
mkdir -p etc usr/bin 'odd/-rf *' var/log mnt/inside
echo hidden > mnt/inside/hidden
echo text > etc/file
ln etc/file etc/hard-link
ln -s ../../../../../../etc/passwd etc/out
ln -s / up
ln -s nowhere etc/dangling
echo odd > "$(printf 'odd/new\\nline \\377 "quoted"')"
echo odd > 'odd/-rf */[x]{}'
mkfifo odd/fifo
/usr/bin/python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("odd/socket")'
mknod odd/null c 1 3
mknod odd/loop b 7 77
cp /bin/true usr/bin/setuid && chmod 6755 usr/bin/setuid
cp /bin/true usr/bin/capable && setcap cap_net_raw+ep usr/bin/capable
truncate --size=300M odd/sparse && echo end >> odd/sparse
setfattr -n user.here -v one etc/file
setfattr -n trusted.here -v two etc
setfattr -h -n trusted.link -v three etc/out
setfacl -m u:1234:rw etc/file
setfacl -m u:1234:rwx,d:g:4321:rx odd
setfacl -m u:77:x .
chown -h 1000:1001 etc/dangling odd/fifo
chown 70000:70001 etc/file
chmod 1777 var/log
/usr/bin/python3 -c '
import os
for n in range(16):
    os.mkdir("d" * 249)
    os.chdir("d" * 249)
open("f", "w").write("deep")
'
touch -h -d '2001-02-03 04:05:06.123456789' etc/out etc/hard-link odd/null odd/fifo
touch -d '1999-02-03 04:05:06.987654321' etc odd .
`;

/** Makes the tree. The directory may exist, empty. */
export async function everyKind(tree: string): Promise<void> {
  await mkdir(tree, { recursive: true });
  await execa("/bin/bash", ["-c", FILL], { cwd: tree, env: { PATH } });
}

const DESCRIBE = `
set -e
find . -printf '%p|%y|%m|%U|%G|%l|%n|%T@\\n' -type f -printf '%s\\n' | LC_ALL=C sort
find . '(' -type b -o -type c ')' -exec stat --format='%n %t:%T' '{}' + | LC_ALL=C sort
find . -type f -links +1 -printf '%i %p\\n' | LC_ALL=C sort | awk '{ if ($1 != last) groups += 1; last = $1; print groups, $2 }'
getfattr --recursive --no-dereference --physical --dump --match=- --encoding=hex . | LC_ALL=C sort
getcap -r . | LC_ALL=C sort
getfacl --recursive --physical --numeric --absolute-names . | tr '\\n' ' ' | sed 's/# file/\\n&/g' | LC_ALL=C sort
find . -type f -exec sha256sum '{}' + | LC_ALL=C sort
test "$(du --block-size=1M odd/sparse | cut -f1)" -lt 2 && echo sparse
`;

/** All attributes and contents of a tree, as printed by programs, except the times of inode changes. */
export async function describeTree(tree: string): Promise<string[]> {
  const { stdout } = await execa("/bin/bash", ["-c", DESCRIBE], { cwd: tree, env: { PATH }, encoding: "latin1" });
  return stdout.split("\n");
}
