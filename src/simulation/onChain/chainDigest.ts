// SPDX-License-Identifier: Apache-2.0
import { fileURLToPath } from "node:url";
import { codeDigest } from "../laboratory/codeDigest.ts";

const ENTRY = fileURLToPath(new URL("./runCellOnChain.ts", import.meta.url));

/** Digest of the sources that a result with chain and store depends on. */
export function chainDigest(): string {
  return codeDigest(ENTRY);
}
