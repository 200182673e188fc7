// SPDX-License-Identifier: Apache-2.0

import type { CraftInput, Vector } from "./attack.ts";
import type { ConfigOf } from "./attackConfig.ts";

/** Replay (spec G11): an attacker sends its upload of the last round again; in its first round it behaves. */
export function replay(_config: ConfigOf<"replay">, { own, last }: CraftInput): readonly Vector[] {
  return own.map((update, i) => last[i] ?? update);
}
