// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import fc from "fast-check";
import { isLinear } from "../../src/aggregation/isLinear.ts";
import { serverStep } from "../../src/aggregation/serverOptimiser.ts";
import { serverOptimiserInMemory } from "../../src/aggregation/serverOptimiserInMemory.ts";
import { isMasterValue, MASTER_LIMIT, masterDistanceSq } from "../../src/protocol/grid.ts";
import { type ModelLayout, modelLayout } from "../../src/protocol/layout.ts";
import { keyedRandom } from "../../src/protocol/random.ts";
import type { AggregationConfig } from "../../src/protocol/recipe/aggregationConfig.ts";
import type { ServerOptimiserConfig } from "../../src/protocol/recipe/serverOptimiserConfig.ts";
import { initialServerState, isMomentValue, type Moment, type ServerState } from "../../src/protocol/serverState.ts";
import { aggregateInMemory, cloud, flatLayout, updatesOf } from "./fixtures.ts";

interface VectorCase {
  readonly config: ServerOptimiserConfig;
  readonly fractionBits: number;
  readonly rounds: readonly {
    readonly increment: readonly number[];
    readonly movement: readonly number[];
    readonly state: Readonly<Record<string, readonly string[]>>;
  }[];
}
const VECTORS = JSON.parse(
  readFileSync(new URL("../vectors/serverOptimiser.json", import.meta.url), "utf8"),
) as VectorCase[];

const ADAM: ServerOptimiserConfig = { name: "fedadam", learningRate: 0.1, beta1: 0.9, beta2: 0.99, tau: 0.001 };
const YOGI: ServerOptimiserConfig = { ...ADAM, name: "fedyogi", learningRate: 0.01 };
const ADAGRAD: ServerOptimiserConfig = { name: "fedadagrad", learningRate: 0.1, beta1: 0, tau: 0.001 };
const AVGM: ServerOptimiserConfig = { name: "fedavgm", learningRate: 1, momentum: 0.9 };
const ALL = [AVGM, ADAGRAD, ADAM, YOGI];

/** A parameter's worth of the master grid at F = 18. */
const ONE = 2 ** 34;

function hexadecimal(values: Float64Array): string[] {
  return Array.from(values, (value) => {
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleBE(value);
    return bytes.toString("hex");
  });
}

/** One step of one coordinate on 2^-18. */
function stepOf(config: ServerOptimiserConfig, increment: number, before: ServerState = initialServerState(config, 1)) {
  const { movement, state } = serverStep(config, Float64Array.of(increment), before, 18);
  return { moved: movement[0] as number, m: state.momentum?.[0], v: state.variance?.[0], state };
}

interface Made {
  readonly master: Float64Array;
  readonly state: ServerState;
  readonly updateNormSq: bigint;
}

/** A round with a server optimiser, all in memory. */
async function round(
  config: ServerOptimiserConfig | undefined,
  rows: readonly ArrayLike<number>[],
  options: {
    layout?: ModelLayout;
    master?: Float64Array;
    state?: ServerState;
    rule?: AggregationConfig;
    memoryBytes?: number;
  } = {},
): Promise<Made & { readonly weights: Uint32Array; readonly reputations: readonly number[] }> {
  const layout = options.layout ?? flatLayout((rows[0] as ArrayLike<number>).length);
  const recipe = config === undefined ? {} : { serverOptimiser: config };
  const optimiser = serverOptimiserInMemory(recipe, options.state ?? initialServerState(config, layout.size));
  const result = await aggregateInMemory({
    updates: updatesOf(rows),
    reputations: rows.map(() => 65_536),
    alphaQ16: 58_982,
    config: options.rule ?? { rule: "weighted-mean" },
    layout,
    master: options.master ?? new Float64Array(layout.size),
    ...(optimiser === undefined ? {} : { serverOptimiser: optimiser.files }),
    ...(options.memoryBytes === undefined ? {} : { memoryBytes: options.memoryBytes }),
  });
  return { ...result, state: optimiser?.after ?? {} };
}

describe("serverStep", () => {
  const near = (actual: number | undefined, expected: number, tolerance: number): void =>
    assert.ok(Math.abs((actual as number) - expected) <= tolerance, `${actual} is not near ${expected}`);

  it("by hand, the first step on Δ = 0.5: FedAdam", () => {
    const { moved, m, v } = stepOf(ADAM, ONE / 2);
    near(m, 0.05, 1e-16);
    near(v, 0.00250099, 1e-17);
    near(moved / ONE, 0.09802, 5e-7);
  });
  it("by hand: FedYogi, v = τ² + 0.01·0.25", () => {
    const { moved, v } = stepOf(YOGI, ONE / 2);
    near(v, 0.002501, 1e-17);
    near(moved / ONE, 0.009802, 5e-8);
  });
  it("by hand: FedAdagrad without momentum, of which it then keeps none", () => {
    const { moved, v, state } = stepOf(ADAGRAD, ONE / 2);
    near(v, 0.250001, 1e-16);
    near(moved / ONE, 0.0998002, 5e-8);
    assert.deepEqual(Object.keys(state), ["variance"]);
  });
  it("by hand: FedAvgM gathers 1 + β + β² of a steady pull", () => {
    const first = stepOf(AVGM, ONE / 2);
    const second = stepOf(AVGM, ONE / 2, first.state);
    const third = stepOf(AVGM, ONE / 2, second.state);
    assert.equal(first.moved, ONE / 2);
    near(third.moved / ONE, 0.5 * (1 + 0.9 + 0.81), 1e-10);
  });

  for (const [i, { config, fractionBits, rounds }] of VECTORS.entries()) {
    it(`${config.name} (vector ${i + 1}) takes the steps and keeps the state that NumPy computes, in every bit`, () => {
      let state = initialServerState(config, (rounds[0]?.increment ?? []).length);
      for (const expected of rounds) {
        const made = serverStep(config, Float64Array.from(expected.increment), state, fractionBits);
        assert.deepEqual([...made.movement], expected.movement);
        assert.deepEqual(
          Object.fromEntries(Object.entries(made.state).map(([moment, values]) => [moment, hexadecimal(values)])),
          expected.state,
        );
        state = made.state;
      }
    });
  }

  it("rounds halves away from zero: a rate of ½ on odd movements", () => {
    const half: ServerOptimiserConfig = { name: "fedavgm", learningRate: 0.5, momentum: 0 };
    const moved = (increment: number) => stepOf(half, increment).moved;
    assert.deepEqual([1, 2, 3, -1, -3].map(moved), [1, 1, 2, -1, -2]);
  });

  it("goes on by momentum where nothing pulls, and stands still where nothing ever did", () => {
    for (const config of [AVGM, ADAM, YOGI, { ...ADAGRAD, beta1: 0.5 }]) {
      const { state } = stepOf(config, ONE / 2);
      assert.ok(stepOf(config, 0, state).moved > 0, config.name);
    }
    for (const config of ALL) assert.ok(Object.is(stepOf(config, 0).moved, 0), config.name);
    assert.equal(stepOf(ADAGRAD, 0, stepOf(ADAGRAD, ONE).state).moved, 0);
  });

  it("makes no −0: a mean that underflows from below, a movement that rounds to nothing", () => {
    const tiny: ServerOptimiserConfig = { name: "fedavgm", learningRate: 1, momentum: 0.4 };
    const { m, moved } = stepOf(tiny, 0, { momentum: Float64Array.of(-5e-324) });
    assert.ok(Object.is(m, 0));
    assert.ok(Object.is(moved, 0));
    assert.ok(Object.is(stepOf(tiny, -0, { momentum: Float64Array.of(0) }).m, 0));
  });

  it("Yogi leaves v where it equals Δ², and never takes it below 0", () => {
    const equal = stepOf({ ...YOGI, tau: 0.5 }, ONE / 2);
    assert.equal(equal.v, 0.25);
    const unit = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(
        fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }),
        fc.maxSafeInteger(),
        unit,
        (v, d, beta2) => {
          const config: ServerOptimiserConfig = { ...YOGI, beta2 };
          const before = { momentum: Float64Array.of(0), variance: Float64Array.of(v + 0) };
          const { v: after } = stepOf(config, d % 2 ** 40, before);
          assert.ok(isMomentValue("variance", after as number), `${after}`);
        },
      ),
      { seed: 91, numRuns: 500 },
    );
  });

  const values = fc.array(fc.integer({ min: -(2 ** 40), max: 2 ** 40 }), { minLength: 1, maxLength: 8 });
  const configs = fc.constantFrom(...ALL, { ...ADAGRAD, beta1: 0.9 });
  it("treats every coordinate alike, whatever its place", () => {
    fc.assert(
      fc.property(configs, fc.array(values, { minLength: 1, maxLength: 4 }), fc.nat(), (config, rounds, seed) => {
        const size = Math.min(...rounds.map(({ length }) => length));
        const order = keyedRandom("places", seed).permutation(size);
        let plain = initialServerState(config, size);
        let shuffled = plain;
        for (const increment of rounds) {
          const a = serverStep(
            config,
            Float64Array.from(increment.slice(0, size), (x) => x + 0),
            plain,
            18,
          );
          const b = serverStep(
            config,
            Float64Array.from(order, (j) => (increment[j] as number) + 0),
            shuffled,
            18,
          );
          assert.deepEqual(
            b.movement,
            Float64Array.from(order, (j) => a.movement[j] as number),
          );
          for (const moment of Object.keys(a.state) as Moment[])
            assert.deepEqual(
              b.state[moment],
              Float64Array.from(order, (j) => a.state[moment]?.[j] as number),
            );
          [plain, shuffled] = [a.state, b.state];
        }
      }),
      { seed: 92, numRuns: 100 },
    );
  });

  it("keeps movements whole and states such as a checkpoint holds, over many rounds of any pull", () => {
    fc.assert(
      fc.property(configs, fc.array(values, { minLength: 1, maxLength: 20 }), (config, rounds) => {
        let state = initialServerState(config, 1);
        for (const [increment] of rounds) {
          const made = serverStep(config, Float64Array.of((increment as number) + 0), state, 18);
          const [moved] = made.movement;
          assert.ok(Number.isInteger(moved) && !Object.is(moved, -0), `${moved}`);
          for (const [moment, kept] of Object.entries(made.state))
            assert.ok(isMomentValue(moment as Moment, kept[0] as number), `${moment} ${kept[0]}`);
          state = made.state;
        }
      }),
      { seed: 93, numRuns: 200 },
    );
  });
});

describe("aggregate with a server optimiser", () => {
  const rows = cloud(keyedRandom("server optimiser"), 5, 6, 300, 20_000);

  it("steps along the rule's movement, which is decided as without it", async () => {
    for (const rule of [
      { rule: "weighted-mean" },
      { rule: "coordinate-median" },
      { rule: "geometric-median" },
    ] as const) {
      const plain = await round(undefined, rows, { rule });
      const adaptive = await round(ADAM, rows, { rule });
      const expected = serverStep(ADAM, plain.master, initialServerState(ADAM, 6), 18);
      assert.deepEqual(adaptive.master, expected.movement);
      assert.deepEqual(adaptive.state, expected.state);
      assert.deepEqual([adaptive.weights, adaptive.reputations], [plain.weights, plain.reputations]);
    }
  });

  it("reports the movement that the model made, on each tensor's own grid", async () => {
    const layout = modelLayout([
      { name: "a", shape: [4], fractionBits: 18, group: 0 },
      { name: "b", shape: [2], fractionBits: 12, group: 0 },
    ]);
    const master = Float64Array.of(5, -70_000, 1e9, 0, 3, -3);
    for (const config of ALL) {
      const first = await round(config, rows, { layout, master });
      const second = await round(config, rows, { layout, master: first.master, state: first.state });
      assert.equal(first.updateNormSq, masterDistanceSq(first.master, master, layout));
      assert.equal(second.updateNormSq, masterDistanceSq(second.master, first.master, layout));
      const onB = serverStep(
        config,
        (await round(undefined, rows, { layout })).master.slice(4),
        initialServerState(config, 2),
        12,
      );
      assert.deepEqual(
        [...first.master.subarray(4)],
        [...onB.movement].map((moved, j) => moved + (master[4 + j] as number)),
      );
    }
  });

  it("gives the same bits whatever memory it may use", async () => {
    const layout = modelLayout([
      { name: "a", shape: [3, 3_001], fractionBits: 18, group: 0 },
      { name: "b", shape: [1_000], fractionBits: 14, group: 0 },
    ]);
    const many = cloud(keyedRandom("chunks"), 3, layout.size, 0, 3_000);
    for (const config of [AVGM, YOGI]) {
      const runTwice = async (memoryBytes: number): Promise<Made[]> => {
        const first = await round(config, many, { layout, memoryBytes });
        return [first, await round(config, many, { layout, memoryBytes, master: first.master, state: first.state })];
      };
      assert.deepEqual(await runTwice(1), await runTwice(2 ** 28));
    }
  });

  it("leaves the state it was given as it was, so that a failed round has none to take back", async () => {
    const before = initialServerState(ADAM, 6);
    await round(ADAM, rows, { state: before });
    assert.deepEqual(before, initialServerState(ADAM, 6));
  });

  it("GRID_OVERFLOW: a step out of the master range, one that is no number, a state that is none", async () => {
    const refused = { code: "GRID_OVERFLOW" };
    const far: ServerOptimiserConfig = { ...AVGM, learningRate: 1000 };
    const edge = Float64Array.of(MASTER_LIMIT - 65_536);
    assert.ok(isMasterValue((await round(far, [[1]])).master[0] as number));
    await assert.rejects(round(far, [[1]], { master: edge }), refused);
    await assert.rejects(round(far, [[1]], { state: { momentum: Float64Array.of(1.7e308) } }), refused);
    await assert.rejects(round(AVGM, [[1]], { state: { momentum: Float64Array.of(Number.NaN) } }), refused);
    const infinite = { momentum: Float64Array.of(0), variance: Float64Array.of(Number.POSITIVE_INFINITY) };
    await assert.rejects(round(ADAM, [[1]], { state: infinite }), refused);
  });

  it("is no linear function of the updates any more, and a run with it is marked so", () => {
    const mean = { aggregation: { rule: "weighted-mean" } } as const;
    assert.ok(isLinear(mean));
    assert.ok(isLinear({ ...mean, serverOptimiser: { name: "none" } }));
    for (const serverOptimiser of ALL) assert.ok(!isLinear({ ...mean, serverOptimiser }));
    assert.ok(!isLinear({ aggregation: { rule: "coordinate-median" } }));
  });
});
