// SPDX-License-Identifier: Apache-2.0
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ARTIFACTS } from "../../chain/artifacts.ts";
import { codeDigest } from "../laboratory/codeDigest.ts";

const ENTRY = fileURLToPath(new URL("./runCellOnChain.ts", import.meta.url));

/** Digest of what a result with chain and store depends on: the sources, and the compiled contracts. */
export function chainDigest(): string {
  return codeDigest(ENTRY, [join(ARTIFACTS, "contracts")]);
}
