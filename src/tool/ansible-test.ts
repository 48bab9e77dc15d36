// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// What ansible-test needs to run outside of its own container images.

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cacheDirectory } from "./cache.ts";

/** The versions of pip that ansible-test of ansible-core 2.14 to 2.19 wants in its virtual environments. */
const pipVersions = ["21.3.1", "23.1.2", "24.2"];

// ansible-test takes what it finds here for pip's own installer, which it would otherwise download from a host of Ansible's: with this one,
// PyPI is all that is needed.
const GET_PIP = `import ensurepip, os, subprocess, sys

# ensurepip forgets how pip is set up here.
environment = {name: value for name, value in os.environ.items() if name != "GET_PIP"}
ensurepip.bootstrap(default_pip=True)
packages = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", "--quiet", *packages], env=environment))
`;

/**
 * A home directory that ansible-test keeps its virtual environments in.
 *
 * @param name One for each version: two runs in one home at a time would make the same environments.
 */
export async function ansibleTestHome(name: string): Promise<string> {
  const home = join(cacheDirectory(), `ansible-test-${name}`);
  const directory = join(home, ".ansible/test/cache");
  await mkdir(directory, { recursive: true, mode: 0o700 });
  for (const version of pipVersions)
    await writeFile(join(directory, `get_pip_${version.replaceAll(".", "_")}.py`), GET_PIP);
  return home;
}
