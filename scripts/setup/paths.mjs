// SPDX-License-Identifier: Apache-2.0
/** Where things lie. Plain JavaScript for Node 20, like everything that runs before the set-up is complete. */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's root, absolute. */
export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** State of this checkout that can be deleted at any time and is made again: stamps, logs, the Node beside the project. */
export const STATE = join(ROOT, ".foedus");

/** The oldest Node major version that runs our TypeScript sources as they are. */
export const NODE_MAJOR = 24;
