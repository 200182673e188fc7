// SPDX-License-Identifier: Apache-2.0
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Everything that decides what a cell's result is. */
const FOLDERS = [
  "protocol",
  "numerics",
  "data",
  "learning",
  "update",
  "privacy",
  "aggregation",
  "incentives",
  "round/serverLearning",
  "simulation/attacks",
  "simulation/laboratory",
  "simulation/studies",
];

const digests = new Map<string, string>();

/**
 * SHA-256 over the sources that a result depends on, 16 hexadecimal digits: a result of other sources is not fresh.
 *
 * @param beside further folders that decide, of `src`.
 */
export function codeDigest(beside: readonly string[] = []): string {
  const folders = [...FOLDERS, ...beside];
  const key = folders.join();
  const known = digests.get(key);
  if (known !== undefined) return known;
  const root = fileURLToPath(new URL("../../", import.meta.url));
  const hash = createHash("sha256");
  for (const folder of folders) {
    const names = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).filter((name) =>
      name.endsWith(".ts"),
    );
    for (const name of names.sort((a, b) => (a < b ? -1 : 1))) {
      const path = `${folder}/${name}`;
      hash
        .update(`${path}\0`)
        .update(readFileSync(join(root, path)))
        .update("\0");
    }
  }
  const digest = hash.digest("hex").slice(0, 16);
  digests.set(key, digest);
  return digest;
}
