// SPDX-License-Identifier: Apache-2.0
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** Where Debian's python3-numpy and python3-torch live first: a python of another origin may be in front of it in the path. */
const PYTHONS = ["/usr/bin/python3", "python3"];

const PACKAGE = fileURLToPath(new URL("../../python", import.meta.url));

export interface Python {
  readonly program: string;
  /** Why what needs it cannot run; false when nothing is missing. */
  readonly missing: string | false;
}

/** A python with a module. */
export function findPython(module: "numpy" | "torch"): Python {
  const program = PYTHONS.find((candidate) => spawnSync(candidate, ["-c", `import ${module}`]).status === 0);
  if (program !== undefined) return { program, missing: false };
  const packages = module === "torch" ? "python3-torch libopenblas0-pthread" : "python3-numpy";
  return { program: "python3", missing: `no python with ${module} is installed (Debian: apt-get install ${packages})` };
}

/** A command that finds the package of `python/`, and leaves no compiled files in the tree. */
export function pythonCommand({ program }: Python, args: readonly string[]): { command: string[] } {
  return { command: ["env", `PYTHONPATH=${PACKAGE}`, "PYTHONDONTWRITEBYTECODE=1", program, ...args] };
}
