// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// A home directory with which ansible-test runs outside of Ansible's container images.

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cacheDirectory } from "./cache.ts";

/** The versions of pip that ansible-test of ansible-core 2.14 to 2.22 wants in its virtual environments. */
const pipVersions = ["21.3.1", "23.1.2", "24.2", "25.2"];

// ansible-test takes this file for pip's installer, which ansible-test would otherwise download from one of Ansible's hosts: with this file,
// PyPI is enough.
const GET_PIP = `import ensurepip, os, subprocess, sys

# ensurepip drops pip's settings from the environment.
environment = {name: value for name, value in os.environ.items() if name != "GET_PIP"}
ensurepip.bootstrap(default_pip=True)
packages = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", "--quiet", *packages], env=environment))
`;

/**
 * A home directory for the virtual environments of ansible-test.
 *
 * @param name A name for each version: two runs with one home would make the same environments at the same time.
 */
export async function ansibleTestHome(name: string): Promise<string> {
  const home = join(cacheDirectory(), `ansible-test-${name}`);
  const directory = join(home, ".ansible/test/cache");
  await mkdir(directory, { recursive: true, mode: 0o700 });
  for (const version of pipVersions)
    await writeFile(join(directory, `get_pip_${version.replaceAll(".", "_")}.py`), GET_PIP);
  return home;
}

/** Of a package that ansible-test 2.22 would fetch from its repository, for Python 3.15: the release, for those before. */
const released = "dill==0.4.1";

/**
 * Lets pylint's environment have nothing but releases from PyPI.
 *
 * @param programs Directory of ansible-test, in a virtual environment.
 * @param python Version of that environment's Python, such as 3.13.
 */
export async function useReleases(programs: string, python: string): Promise<void> {
  const requirements = join(programs, `../lib/python${python}/site-packages/ansible_test/_data/requirements`);
  const file = join(requirements, "sanity.pylint.txt");
  const text = await readFile(file, "utf8");
  await writeFile(file, text.replace(/^dill @ .*$/m, released));
}
