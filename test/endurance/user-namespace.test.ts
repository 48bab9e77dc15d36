// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// A user namespace changes nothing in a tree: one image of packages with scripts that do the most, built with and without.

import { join } from "node:path";
import { execa } from "execa";
import { expect, test } from "vitest";
import { playbook, runnerHost, summary } from "../support/runner-host.ts";
import { debianTree } from "../support/trees.ts";

/** Packages with users, groups, modes, capabilities, databases, alternatives, triggers, certificates, kernel headers and units of their own. */
const packages = [
  ...[
    "apache2",
    "nginx-light",
    "postgresql",
    "mariadb-server",
    "redis-server",
    "memcached",
    "php-fpm",
    "slapd",
    "bind9",
  ],
  ...["unbound", "openssh-server", "postfix", "dovecot-imapd", "rsyslog", "cron", "at", "anacron", "logrotate", "sudo"],
  ...[
    "polkitd",
    "systemd-timesyncd",
    "systemd-resolved",
    "build-essential",
    "linux-headers-amd64",
    "dkms",
    "python3-venv",
  ],
  ...["ruby", "man-db", "locales", "tzdata", "ca-certificates", "ssl-cert", "fontconfig", "libgtk-3-0", "xfonts-base"],
  ...["dconf-gsettings-backend", "shared-mime-info", "desktop-file-utils", "avahi-daemon", "cups-daemon", "nfs-common"],
  ...["iputils-ping", "fping", "gstreamer1.0-plugins-base", "fuse3", "uidmap", "udisks2", "ufw", "nftables", "auditd"],
  ...["apparmor", "tmux", "git", "wireguard-tools", "prometheus-node-exporter", "krb5-user", "initramfs-tools"],
  ...["console-setup", "tftpd-hpa"],
];

/** Files with new content in each installation: logs, keys, caches and databases with times or random numbers. */
const unlike = [
  /^var\/(log|cache|backups)\//,
  /^var\/lib\/(mysql|postgresql|ldap|dpkg|apt|systemd|dbus|dkms|ucf|fontconfig|python)\//,
  /^etc\/(aliases\.db|ssh\/ssh_host_|ssl\/|bind\/rndc\.key|ldap\/slapd\.d\/|machine-id|shadow|gshadow|passwd|ld\.so\.cache)/,
  /(\.pyc|\/initrd\.img-[^/]*|\.cache|fonts\.dir|fonts\.scale)$/,
];

interface Entry {
  mode: string;
  owner: string;
  attributes: Record<string, string>;
  content?: string;
}

test("an image of more than 300 packages is the same with a user namespace and without", async () => {
  // Postfix asks for the host's full name, which must be the same in both.
  const tasks = `- copy: {content: "127.0.1.1 image.example.org with without\\n", dest: /etc/hosts}
- apt: {update_cache: true, install_recommends: false, name: [${packages.join(", ")}]}`;
  const without = "nspawn_runner_chroot_suite: bookworm, nspawn_runner_user_namespace: false";
  const host = await runnerHost(
    { "with.yml": playbook("with", tasks), "without.yml": playbook("without", tasks, without) },
    [],
  );
  for (const image of ["with", "without"]) await debianTree(join(host.root, image));
  const result = await host.run(["site.yml"]);
  expect(result.exitCode, result.stdout + result.stderr).toBe(0);
  const listings = [];
  for (const image of ["with", "without"]) {
    // Of the packages that were added: the cell behind the tasks.
    expect(Number(summary(result, image)[2]), result.stdout).toBeGreaterThan(300);
    const script = join(import.meta.dirname, "../support/tree_listing.py");
    const { stdout } = await execa("/usr/bin/python3", [script, join(host.root, image)], { maxBuffer: 1 << 28 });
    listings.push(new Map(Object.entries(JSON.parse(stdout) as Record<string, Entry>).map(comparable)));
  }
  const [walled, open] = listings as [Map<string, Entry>, Map<string, Entry>];
  const differences = [...new Set([...walled.keys(), ...open.keys()])]
    .map((path) => [path, walled.get(path), open.get(path)])
    .filter(([, one, other]) => JSON.stringify(one) !== JSON.stringify(other));
  expect(differences).toEqual([]);
  // A comparison of trees without them would prove little.
  const entries = [...walled.values()];
  expect(entries.filter(({ attributes }) => "security.capability" in attributes).length).toBeGreaterThan(2);
  expect(entries.filter(({ mode }) => /^-..s/.test(mode)).length).toBeGreaterThan(5);
  expect(new Set(entries.map(({ owner }) => owner)).size).toBeGreaterThan(15);
});

const comparable = ([path, entry]: [string, Entry]): [string, Entry] =>
  unlike.some((pattern) => pattern.test(path)) ? [path, { ...entry, content: "" }] : [path, entry];
