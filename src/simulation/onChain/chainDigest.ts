// SPDX-License-Identifier: Apache-2.0
import { codeDigest } from "../laboratory/codeDigest.ts";

/** What runs with chain and store depend on beside the laboratory's sources. */
const FOLDERS = [
  "audit",
  "chain",
  "kernels",
  "node",
  "process",
  "proving",
  "round",
  "simulation/onChain",
  "storage",
  "validator",
];

/** Digest of the sources that a result with chain and store depends on. */
export function chainDigest(): string {
  return codeDigest(FOLDERS);
}
