// SPDX-License-Identifier: Apache-2.0
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** Whatever runs a cell is imported, directly or not, by its worker. */
const ENTRY = fileURLToPath(new URL("./cell.worker.ts", import.meta.url));
const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/** Packages whose version a result's numbers depend on. */
const NUMERIC = ["onnxruntime-node"] as const;

/** Static and dynamic imports of our own files, what threads start with, and what is compiled to WebAssembly; types leave nothing behind at run time. */
const IMPORT =
  /^\s*(?:import|export)\s+(?!type\b)[^;]*?from\s+"(\.[^"]+)"|\bimport\("(\.[^"]+)"\)|^\s*import\s+"(\.[^"]+)"|\bnew URL\("(\.[^"]+\.(?:ts|wasm))", import\.meta\.url\)/gm;

const digests = new Map<string, string>();

/**
 * SHA-256 over what a result can depend on, 16 hexadecimal digits: the sources that run it import, the entry itself, the
 * compiled kernels, and the versions of the numeric packages. A result that others made is not fresh.
 *
 * @param entry what runs it; the laboratory's worker if left out.
 * @param folders whose JSON files count as well: compiled contracts.
 */
export function codeDigest(entry = ENTRY, folders: readonly string[] = []): string {
  const key = [entry, ...folders].join("\0");
  const digest = digests.get(key) ?? digestOf(entry, folders);
  digests.set(key, digest);
  return digest;
}

/** The same, read anew. @param root where package.json is, and what paths are named from. */
export function digestOf(entry: string, folders: readonly string[] = [], root = ROOT): string {
  const files = new Map([...sourcesFrom(entry), ...folders.flatMap(jsonFilesIn)]);
  const hash = createHash("sha256");
  for (const path of [...files.keys()].sort((a, b) => (a < b ? -1 : 1)))
    hash
      .update(`${relative(root, path)}\0`)
      .update(files.get(path) as Buffer)
      .update("\0");
  const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    dependencies: Readonly<Record<string, string>>;
  };
  for (const name of NUMERIC) hash.update(`${name}@${dependencies[name]}\0`);
  return hash.digest("hex").slice(0, 16);
}

/** The entry and all files below it, by path; those that were not built yet are empty. */
export function sourcesFrom(entry: string): ReadonlyMap<string, Buffer> {
  const sources = new Map<string, Buffer>();
  const waiting = [entry];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (sources.has(path)) continue;
    const isSource = path.endsWith(".ts");
    const bytes = isSource || existsSync(path) ? readFileSync(path) : Buffer.alloc(0);
    sources.set(path, bytes);
    if (!isSource) continue;
    for (const [, from, dynamic, bare, named] of bytes.toString("utf8").matchAll(IMPORT))
      waiting.push(resolve(dirname(path), (from ?? dynamic ?? bare ?? named) as string));
  }
  return sources;
}

function jsonFilesIn(folder: string): [path: string, bytes: Buffer][] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".json"))
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => [path, readFileSync(path)]);
}
