#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
/**
 * The `foedus` command. Plain JavaScript for Node 20 that only finds Node 24 and hands over to src/cli/main.ts, which is
 * TypeScript; under Node 24 it is loaded right here.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { runForeground } from "../scripts/setup/child.mjs";
import { NODE_MAJOR, ROOT } from "../scripts/setup/paths.mjs";
import { findNode24 } from "../scripts/setup/runtime.mjs";

/** Exit code for usage and configuration, as everywhere in this command. */
const NOT_SET_UP = 2;

const main = join(ROOT, "src", "cli", "main.ts");
const isSetUp = existsSync(join(ROOT, "node_modules", ".package-lock.json"));
const node = isSetUp ? findNode24() : undefined;

if (node === undefined) {
  console.error(
    `Foedus is not set up in ${ROOT}.\nNext step: run \`npm run setup\` there (installs packages and Node ${NODE_MAJOR}).`,
  );
  process.exitCode = NOT_SET_UP;
} else if (Number(process.versions.node.split(".")[0]) >= NODE_MAJOR) {
  process.argv[1] = main;
  await import("../src/cli/main.ts");
} else {
  process.exitCode = await runForeground(node, [main, ...process.argv.slice(2)]);
}
