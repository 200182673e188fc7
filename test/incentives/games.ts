// SPDX-License-Identifier: Apache-2.0
import fc from "fast-check";
import type { Utility } from "../../src/incentives/utility.ts";

/** Utilities by bitmap. */
export const table =
  (values: readonly number[]): Utility =>
  async (coalition) =>
    values[Number(coalition)] as number;

/** Units 2^-20 nats in the example of the specification: so many that sixths come out even. */
export const EXAMPLE_UNIT = 1_200_000;
/** v(1) = .5, v(2) = .4, v(12) = .8, v(3) = 0, v(13) = .55, v(23) = .4, v(123) = .9; φ = (.491667, .366667, .041667). */
export const EXAMPLE = [0, 0.5, 0.4, 0.8, 0, 0.55, 0.4, 0.9].map((x) => Math.floor(EXAMPLE_UNIT * x + 0.5));

/** A game of `least` to `most` players: v(∅) = 0, everything else drawn. */
export const games = (least: number, most: number) =>
  fc.integer({ min: least, max: most }).chain((players) =>
    fc
      .array(fc.integer({ min: -1_000_000, max: 1_000_000 }), {
        minLength: 2 ** players - 1,
        maxLength: 2 ** players - 1,
      })
      .map((values) => ({ players, values: [0, ...values] })),
  );

/** A smooth game of learners: they bring overlapping parts of what there is to know, with decreasing returns. */
export const learners =
  (players: number): Utility =>
  async (coalition) => {
    let known = 0;
    for (let i = 0; i < players; i++) if ((coalition >> BigInt(i)) & 1n) known += 1 + (i % 3);
    return Math.floor((1_048_576 * known) / (known + players));
  };

export const total = (scores: readonly number[]): number => scores.reduce((sum, one) => sum + one, 0);
