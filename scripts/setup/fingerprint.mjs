// SPDX-License-Identifier: Apache-2.0
/**
 * When is a step's result still good? When the files it was made from are the same (by hash) and the files it made are all
 * still there (by size). Both are written to a stamp beside the step's log.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { ROOT, STATE } from "./paths.mjs";

/**
 * Every file below `path`, or `path` itself when it is a file; nothing when it does not exist. Paths are relative to the root,
 * with `/`, sorted by code unit.
 *
 * @param {string} path relative to the root
 * @returns {string[]}
 */
export function filesBelow(path, root = ROOT) {
  let entry;
  try {
    entry = statSync(join(root, path));
  } catch {
    return [];
  }
  if (entry.isFile()) return [path];
  return readdirSync(join(root, path), { recursive: true, withFileTypes: true })
    .filter((child) => child.isFile())
    .map((child) =>
      relative(root, join(child.parentPath ?? child.path, child.name))
        .split(sep)
        .join("/"),
    )
    .sort();
}

/**
 * @param {string[]} paths files and folders, relative to the root
 * @param {string[]} words whatever else the result depends on, such as versions
 * @returns {string} SHA-256 of names and contents, hexadecimal
 */
export function fingerprint(paths, words = [], root = ROOT) {
  const hash = createHash("sha256");
  for (const word of words) hash.update(`word ${word.length}\n${word}\n`);
  for (const file of paths.flatMap((path) => filesBelow(path, root))) {
    const bytes = readFileSync(join(root, file));
    hash.update(`file ${file} ${bytes.length}\n`).update(bytes);
  }
  return hash.digest("hex");
}

/** @returns {Record<string, number>} size in bytes by file, of every file below the given paths */
function sizes(paths, root) {
  return Object.fromEntries(
    paths.flatMap((path) => filesBelow(path, root)).map((file) => [file, statSync(join(root, file)).size]),
  );
}

const stampFile = (step) => join(STATE, "setup", `${step}.json`);

/**
 * @param {string} step
 * @param {string} expected the fingerprint of its inputs now
 * @returns {boolean} whether the step was completed for these inputs and its outputs are still there
 */
export function isStamped(step, expected) {
  let stamp;
  try {
    stamp = JSON.parse(readFileSync(stampFile(step), "utf8"));
  } catch {
    return false;
  }
  if (stamp.fingerprint !== expected) return false;
  return Object.entries(stamp.outputs).every(([file, size]) => {
    try {
      return statSync(join(ROOT, file)).size === size;
    } catch {
      return false;
    }
  });
}

/** @param {string} step @param {string} inputs fingerprint @param {string[]} outputs files and folders the step made */
export function writeStamp(step, inputs, outputs) {
  mkdirSync(dirname(stampFile(step)), { recursive: true });
  writeFileSync(
    stampFile(step),
    `${JSON.stringify({ fingerprint: inputs, outputs: sizes(outputs, ROOT) }, null, 2)}\n`,
  );
}

/** Before a step begins to change its outputs, so that an interrupted step is never taken for a complete one. */
export function removeStamp(step) {
  rmSync(stampFile(step), { force: true });
}
