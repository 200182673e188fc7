// SPDX-License-Identifier: Apache-2.0
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** Whatever runs a cell is imported, directly or not, by its worker. */
const ENTRY = fileURLToPath(new URL("./cell.worker.ts", import.meta.url));
const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/** Static and dynamic imports of our own files, and files that threads are started with; types leave nothing behind at run time. */
const IMPORT =
  /^\s*(?:import|export)\s+(?!type\b)[^;]*?from\s+"(\.[^"]+)"|\bimport\("(\.[^"]+)"\)|^\s*import\s+"(\.[^"]+)"|\bnew URL\("(\.[^"]+\.ts)"/gm;

const digests = new Map<string, string>();

/**
 * SHA-256 over the sources that a result can depend on, 16 hexadecimal digits: those that run it import, and the entry itself. A result that other sources made is
 * not fresh.
 *
 * @param entry what runs it; the laboratory's worker if left out.
 */
export function codeDigest(entry = ENTRY): string {
  const digest = digests.get(entry) ?? digestOf(sourcesFrom(entry));
  digests.set(entry, digest);
  return digest;
}

/** The entry and all files below it, by path. */
export function sourcesFrom(entry: string): ReadonlyMap<string, string> {
  const sources = new Map<string, string>();
  const waiting = [entry];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (sources.has(path)) continue;
    const text = readFileSync(path, "utf8");
    sources.set(path, text);
    for (const [, from, dynamic, bare, thread] of text.matchAll(IMPORT)) {
      const target = resolve(dirname(path), (from ?? dynamic ?? bare ?? thread) as string);
      if (target.endsWith(".ts")) waiting.push(target);
    }
  }
  return sources;
}

function digestOf(sources: ReadonlyMap<string, string>): string {
  const hash = createHash("sha256");
  const paths = [...sources.keys()].sort((a, b) => (a < b ? -1 : 1));
  for (const path of paths) hash.update(`${relative(ROOT, path)}\0${sources.get(path)}\0`);
  return hash.digest("hex").slice(0, 16);
}
