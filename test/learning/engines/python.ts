// SPDX-License-Identifier: Apache-2.0
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** Where Debian's python3-numpy and python3-torch live first: a python of another origin may be in front of it in the path. */
const PYTHONS = ["/usr/bin/python3", "python3"];

const PACKAGE = fileURLToPath(new URL("../../../python", import.meta.url));

export interface Python {
  readonly program: string;
  /** Why tests that need it are skipped; false when nothing is missing. */
  readonly missing: string | false;
}

/** A python with a module. */
export function findPython(module: "numpy" | "torch"): Python {
  for (const program of PYTHONS) {
    if (spawnSync(program, ["-c", `import ${module}`]).status === 0) return { program, missing: false };
  }
  return {
    program: "python3",
    missing: `no python with ${module} is installed (Debian: apt-get install python3-${module})`,
  };
}

/** A command that finds the package of `python/`, and leaves no compiled files in the tree. */
export function pythonCommand({ program }: Python, args: readonly string[]): { command: string[] } {
  return { command: ["env", `PYTHONPATH=${PACKAGE}`, "PYTHONDONTWRITEBYTECODE=1", program, ...args] };
}
