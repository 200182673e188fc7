// SPDX-License-Identifier: Apache-2.0
import { join } from "node:path";
import type { NodeConfig } from "./options.ts";

/** Where a member keeps its privacy ledger and its noise secret. */
export function privacyFiles({ state, privacy }: Pick<NodeConfig, "state" | "privacy">): {
  readonly ledger: string;
  readonly secret: string;
} {
  const { ledger = join(state, "privacy", "ledger.jsonl"), secret = join(state, "privacy", "noise.key") } = privacy;
  return { ledger, secret };
}
