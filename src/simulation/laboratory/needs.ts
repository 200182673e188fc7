// SPDX-License-Identifier: Apache-2.0
import { needsOf } from "../../aggregation/needsOf.ts";
import type { CellConfig } from "./cellConfig.ts";

/** Whether a round's rule weighs by the losses that members report. */
export function lossIsNeeded({ aggregation }: CellConfig): boolean {
  return needsOf(aggregation).losses === true;
}
