// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import type { Aggregate } from "../../src/aggregation/aggregate.ts";
import { AggregationError } from "../../src/aggregation/aggregationError.ts";
import type { AggregationConfig } from "../../src/protocol/recipe/aggregationConfig.ts";
import { aggregateInMemory, flatLayout, updatesOf } from "./fixtures.ts";

/** What one rule makes of these rows, read as easily as the cases are worked by hand. */
export async function outcome(
  config: AggregationConfig,
  rows: readonly ArrayLike<number>[],
  samples?: readonly number[],
  reputations: readonly number[] = rows.map(() => 65_536),
): Promise<Aggregate & { readonly master: Float64Array; readonly keptAt: number[]; readonly moved: number[] }> {
  const size = rows[0]?.length ?? 1;
  const result = await aggregateInMemory({
    updates: updatesOf(rows, samples),
    reputations,
    alphaQ16: 58_982,
    config,
    master: new Float64Array(size),
    layout: flatLayout(size),
  });
  return {
    ...result,
    /** Positions of what was kept. */
    keptAt: result.kept.flatMap((kept, i) => (kept ? [i] : [])),
    /** The movement in steps of the update grid. */
    moved: Array.from(result.master, (m) => m / 65_536),
  };
}

/** Rows of one coordinate each. */
export const line = (...values: number[]): number[][] => values.map((value) => [value]);

/** The refusal of `updates` updates where a rule needs more. */
export const tooFew =
  (needed: number, updates: number) =>
  (error: unknown): true => {
    assert.ok(error instanceof AggregationError);
    assert.equal(error.code, "TOO_FEW_UPDATES");
    assert.deepEqual([error.values.needed, error.values.updates], [needed, updates]);
    return true;
  };
