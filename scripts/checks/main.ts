// SPDX-License-Identifier: Apache-2.0
/**
 * `npm run lint`: all checks, or the ones named (`npm run lint -- layers text`). Every check runs, also after one failed, so
 * that one look shows everything. Exit code 1 when any failed, 2 for an unknown name.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { checkAgreedCode } from "./agreedCode.ts";
import { checkLayers } from "./layers.ts";
import type { SourceFile, Violation } from "./source.ts";
import { checkText } from "./text.ts";

const ROOT = join(import.meta.dirname, "..", "..");

/** Larger or binary files are data, not text. */
const LARGEST_TEXT = 1_000_000;

/** Every text file that git tracks or would, also where another user owns the checkout, as in continuous integration. */
function textFiles(): SourceFile[] {
  const list = execFileSync(
    "git",
    ["-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
    {
      cwd: ROOT,
      encoding: "utf8",
    },
  );
  return [...new Set(list.split("\0"))].flatMap((path) => {
    const size = path === "" ? undefined : statSync(join(ROOT, path), { throwIfNoEntry: false })?.size;
    if (size === undefined || size > LARGEST_TEXT || path === "package-lock.json") return [];
    const bytes = readFileSync(join(ROOT, path));
    return bytes.includes(0) ? [] : [{ path, text: bytes.toString("utf8") }];
  });
}

/** @returns whether the program found nothing to say; its output goes straight to the terminal */
function tool(script: string, ...args: string[]): () => boolean {
  return () => spawnSync(process.execPath, [join(ROOT, script), ...args], { cwd: ROOT, stdio: "inherit" }).status === 0;
}

function own(check: (files: readonly SourceFile[]) => Violation[], concerns: (path: string) => boolean): () => boolean {
  return () => {
    const violations = check(textFiles().filter(({ path }) => concerns(path)));
    for (const { path, line, message } of violations) console.error(`${path}:${line}  ${message}`);
    return violations.length === 0;
  };
}

const isTypeScript = (path: string): boolean => path.endsWith(".ts") && !path.endsWith(".d.ts");

const CHECKS: Readonly<Record<string, () => boolean>> = {
  biome: tool("node_modules/@biomejs/biome/bin/biome", "check", "--error-on-warnings"),
  solhint: tool("node_modules/solhint/solhint.js", "--disc", "--noPoster", "--max-warnings", "0", "contracts/**/*.sol"),
  knip: tool("node_modules/knip/bin/knip.js"),
  lock: tool("scripts/complete-lock.mjs", "--check"),
  layers: own(checkLayers, (path) => isTypeScript(path) || path.endsWith(".sol")),
  agreedCode: own(checkAgreedCode, (path) => isTypeScript(path) && path.startsWith("src/")),
  text: own(checkText, () => true),
};

const named = process.argv.slice(2);
const unknown = named.filter((name) => !Object.hasOwn(CHECKS, name));
if (unknown.length > 0) {
  console.error(`There is no check ${unknown.join(", ")}. Checks: ${Object.keys(CHECKS).join(", ")}.`);
  process.exit(2);
}
const failed: string[] = [];
for (const [name, check] of Object.entries(CHECKS)) {
  if (named.length > 0 && !named.includes(name)) continue;
  const startedAt = performance.now();
  const passed = check();
  if (!passed) failed.push(name);
  console.log(`${passed ? "✔" : "✖"} ${name} (${((performance.now() - startedAt) / 1000).toFixed(1)} s)`);
}
if (failed.length > 0) console.error(`Failed: ${failed.join(", ")}.`);
process.exitCode = failed.length > 0 ? 1 : 0;
