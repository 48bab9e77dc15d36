# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# tree_listing.py TREE: prints a JSON object of all that counts in a tree, without times: by path, the type and the permissions, owner, group,
# device number, extended attributes, the target of a link, the checksum of a file.

import hashlib
import json
import os
import stat
import sys


def describe(path):
    status = os.lstat(path)
    attributes = {name: os.getxattr(path, name, follow_symlinks=False).hex() for name in sorted(os.listxattr(path, follow_symlinks=False))}
    described = {"mode": stat.filemode(status.st_mode), "owner": f"{status.st_uid}:{status.st_gid}", "attributes": attributes}
    if stat.S_ISLNK(status.st_mode):
        described["content"] = os.readlink(path)
    elif stat.S_ISREG(status.st_mode):
        with open(path, "rb") as file:
            described["content"] = hashlib.sha256(file.read()).hexdigest()
    elif stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
        described["content"] = f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
    return described


tree = sys.argv[1]
entries = {".": describe(tree)}
for directory, directories, files in os.walk(tree):
    for name in directories + files:
        path = os.path.join(directory, name)
        entries[os.path.relpath(path, tree)] = describe(path)
json.dump(entries, sys.stdout)
