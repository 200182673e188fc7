// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import type { Aggregate } from "../../src/aggregation/aggregate.ts";
import { AggregationError } from "../../src/aggregation/aggregationError.ts";
import type { AggregationConfig } from "../../src/protocol/recipe/aggregationConfig.ts";
import { aggregateInMemory, flatLayout, type InMemory, updatesOf } from "./fixtures.ts";

/** What one rule makes of these rows, read as easily as the cases are worked by hand. */
export async function outcome(
  config: AggregationConfig,
  rows: readonly ArrayLike<number>[],
  samples?: readonly number[],
  reputations: readonly number[] = rows.map(() => 65_536),
  { losses, layout, ...more }: Partial<InMemory> & { readonly losses?: readonly number[] | undefined } = {},
): Promise<Aggregate & { readonly master: Float64Array; readonly keptAt: number[]; readonly moved: number[] }> {
  const size = rows[0]?.length ?? 1;
  const result = await aggregateInMemory({
    updates: updatesOf(rows, samples, losses),
    reputations,
    alphaQ16: 58_982,
    config,
    master: new Float64Array(size),
    layout: layout ?? flatLayout(size),
    ...more,
  });
  return {
    ...result,
    /** Positions of what was kept. */
    keptAt: result.kept.flatMap((kept, i) => (kept ? [i] : [])),
    /** The movement in steps of the update grid. */
    moved: Array.from(result.master, (m) => m / 65_536),
  };
}

/** A loss or contribution of so many nats, on its grid. */
export const nats = (...values: number[]): number[] => values.map((value) => Math.floor(value * 65_536 + 0.5));
export const micronats = (...values: number[]): number[] => values.map((value) => Math.floor(value * 1_048_576 + 0.5));

/** Weights on record are these, to the half unit that rounding may take. */
export function assertWeights(weights: Uint32Array, expected: readonly number[], units = 1): void {
  assert.equal(weights.length, expected.length);
  for (const [i, weight] of weights.entries()) {
    const difference = Math.abs(weight - 65_536 * (expected[i] as number));
    assert.ok(difference <= units, `weight ${i} is ${weight / 65_536}, not ${expected[i]}`);
  }
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
