#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
/**
 * Complete package-lock.json: add the optional platform packages that npm left out.
 *
 * A package with native parts lists one optional package per platform. npm writes into the lock only those that the registry
 * in use could resolve at that moment; a mirror that does not carry, say, the Windows binaries yields a lock without them, and
 * `npm ci` then refuses it as "not in sync" on every machine. The entries added here carry what `npm ci` needs to decide that
 * it does not want the package on this platform: version, optional, os, cpu and libc. They have no integrity hash, because
 * the bytes were never seen; on a platform that does want one, npm takes it from its registry.
 *
 * Run it after each dependency change: `node scripts/complete-lock.mjs`. With `--check` nothing is written, and the exit
 * code is 1 when entries are missing.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Platforms by the words that package names use for them: `…-linux-arm64-musl`, `…-win32-x64-msvc`, `…-arm-eabi`. */
const OS = new Set([
  "aix",
  "android",
  "darwin",
  "freebsd",
  "linux",
  "netbsd",
  "openbsd",
  "openharmony",
  "sunos",
  "win32",
]);
const CPU = new Set(["arm", "arm64", "ia32", "loong64", "mips64el", "ppc64", "riscv64", "s390x", "x64", "wasm32"]);
const LIBC = new Map([
  ["gnu", "glibc"],
  ["gnueabihf", "glibc"],
  ["musl", "musl"],
  ["musleabihf", "musl"],
]);

/**
 * What a platform package's name says about where it runs.
 *
 * @param {string} name such as `@biomejs/cli-linux-arm64-musl`
 * @returns {{ os: string[], cpu: string[], libc?: string[] } | undefined} undefined when the name names no platform
 */
export function platformOf(name) {
  const words = name.split("/").at(-1)?.split(/[-_.]/) ?? [];
  const os = words.find((word) => OS.has(word));
  const cpu = words.find((word) => CPU.has(word));
  if (os === undefined || cpu === undefined) return undefined;
  const libc = words.map((word) => LIBC.get(word)).find((found) => found !== undefined);
  return { os: [os], cpu: [cpu], ...(os === "linux" && libc !== undefined ? { libc: [libc] } : {}) };
}

/**
 * The lock path under which `dependent` would find `name`, as Node resolves it: beside it, then in each enclosing
 * `node_modules` up to the root.
 *
 * @returns {string | undefined}
 */
function resolve(packages, dependent, name) {
  let base = dependent;
  for (;;) {
    const path = `${base === "" ? "" : `${base}/`}node_modules/${name}`;
    if (packages[path] !== undefined) return path;
    if (base === "") return undefined;
    const enclosing = base.lastIndexOf("/node_modules/");
    base = enclosing < 0 ? "" : base.slice(0, enclosing);
  }
}

/**
 * Entries that the lock lacks, by lock path. Nothing is changed.
 *
 * @param {{ packages: Record<string, any> }} lock a parsed package-lock.json, version 3
 * @returns {Map<string, object>}
 * @throws {Error} when a missing optional package's name names no platform or its range is not one exact version
 */
export function missingEntries(lock) {
  const missing = new Map();
  const known = { ...lock.packages };
  for (const [dependent, entry] of Object.entries(lock.packages)) {
    for (const [name, range] of Object.entries(entry.optionalDependencies ?? {})) {
      const platform = platformOf(name);
      const found = resolve(known, dependent, name);
      const exact = /^\d+\.\d+\.\d+(?:[-+][\w.+-]+)?$/.test(range);
      if (found !== undefined && (platform === undefined || !exact || known[found].version === range)) continue;
      if (platform === undefined || !exact) {
        throw new Error(
          `${dependent || "the project"} wants the optional ${name}@${range}, which the lock lacks and which is not a ` +
            "platform package at one exact version. Run `npm install` against a registry that has it.",
        );
      }
      // At the root unless another version sits there already; then beside the package that wants it.
      const path = found === undefined ? `node_modules/${name}` : `${dependent}/node_modules/${name}`;
      const added = { version: range, ...(entry.dev === true ? { dev: true } : {}), optional: true, ...platform };
      missing.set(path, added);
      known[path] = added;
    }
  }
  return missing;
}

function main(args) {
  const check = args.includes("--check");
  const unknown = args.find((arg) => arg.startsWith("-") && arg !== "--check");
  if (unknown !== undefined) {
    console.error(
      `complete-lock: unknown option ${unknown}. Usage: node scripts/complete-lock.mjs [--check] [package-lock.json]`,
    );
    return 2;
  }
  const file =
    args.find((arg) => !arg.startsWith("-")) ?? fileURLToPath(new URL("../package-lock.json", import.meta.url));
  const lock = JSON.parse(readFileSync(file, "utf8"));
  const missing = missingEntries(lock);
  if (check) {
    for (const path of missing.keys()) console.error(`complete-lock: missing ${path}`);
    if (missing.size > 0) console.error("complete-lock: run `node scripts/complete-lock.mjs` and commit the lock.");
    return missing.size > 0 ? 1 : 0;
  }
  if (missing.size > 0) {
    for (const [path, entry] of missing) lock.packages[path] = entry;
    // npm keeps the lock sorted this way; any other order would be noise in the next diff.
    lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, "en")));
    writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
  }
  console.log(`complete-lock: ${missing.size} entries added to ${Object.keys(lock.packages).length - missing.size}`);
  return 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = main(process.argv.slice(2));
