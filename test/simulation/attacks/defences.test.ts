// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { findCopies } from "../../../src/aggregation/findCopies.ts";
import { referenceKernels } from "../../../src/aggregation/reference/referenceKernels.ts";
import { assign } from "../../../src/numerics/assignment.ts";
import { modelLayout } from "../../../src/protocol/layout.ts";
import { keyedRandom } from "../../../src/protocol/random.ts";
import type { AggregationConfig } from "../../../src/protocol/recipe/aggregationConfig.ts";
import type { AttackConfig } from "../../../src/simulation/attacks/attackConfig.ts";
import { craftUpdates } from "../../../src/simulation/attacks/craftUpdates.ts";
import { reportInflation } from "../../../src/simulation/attacks/reportInflation.ts";
import { prepareUpdate } from "../../../src/update/prepareUpdate.ts";
import { nats, outcome } from "../../aggregation/run.ts";
import { cloud, configOf } from "./fixtures.ts";

/** Rules that shall survive an attack and rules that shall not: 12 honest updates around (.1, …, .1), 3 attackers, the run's own rules. */
const SIZE = 40;
const honest = cloud("honest", 12, SIZE, 0.1, 0.2);
const own = cloud("own", 3, SIZE, 0.1, 0.2);

/** How far the model moves along (1, …, 1), in units of the honest mean's movement: 1 is undisturbed, below 0 is backwards. */
async function progress(rule: AggregationConfig, config: AttackConfig): Promise<number> {
  const crafted = await craftUpdates(config, {
    round: 1,
    honest,
    attackers: own.map((update, i) => ({ id: i, update })),
    received: new Float64Array(SIZE),
    rule,
    random: keyedRandom("defences"),
  });
  const updates = [...honest, ...own.map((update, i) => crafted.get(i) ?? update)];
  const rows = updates.map((update) => Array.from(update, (value) => Math.round(value * 2 ** 18)));
  const { moved } = await outcome(rule, rows);
  return moved.reduce((sum, value) => sum + value, 0) / 2 ** 18 / SIZE / 0.1;
}

const MEAN = { rule: "weighted-mean" } as const;
const MEDIAN = { rule: "coordinate-median" } as const;
const TRIMMED = { rule: "trimmed-mean", parameters: { trim: 3 } } as const;
const KRUM = { rule: "krum", parameters: { byzantine: 3 } } as const;
const MULTI_KRUM = { rule: "multi-krum", parameters: { byzantine: 3 } } as const;

describe("rules under attack", () => {
  it("negation ×8 and scaling stop or turn the mean, and leave robust rules a direction", async () => {
    const negated = configOf("negation", { scale: 8 });
    const noisy = configOf("gaussian-noise", { deviation: 5 });
    assert.ok((await progress(MEAN, negated)) < 0);
    for (const rule of [MEDIAN, TRIMMED, MULTI_KRUM]) {
      const moved = await progress(rule, negated);
      assert.ok(moved > 0.3, `${rule.rule} moves by ${moved}`);
    }
    assert.ok(Math.abs((await progress(MULTI_KRUM, noisy)) - 1) < 0.2);
    assert.ok((await progress(MEAN, configOf("scaling", { scale: 100 }))) > 10);
    assert.ok(Math.abs((await progress(MULTI_KRUM, configOf("scaling", { scale: 100 }))) - 1) < 0.2);
  });

  it("Fang's attacks defeat the rule that they are made against more than the other", async () => {
    const [krumByKrum, meanByKrum] = [
      await progress(KRUM, configOf("fang-krum")),
      await progress(TRIMMED, configOf("fang-krum")),
    ];
    assert.ok(krumByKrum < 0 && meanByKrum > 0.5, `Krum ${krumByKrum}, trimmed mean ${meanByKrum}`);
    const [trimByTrim, krumByTrim] = [
      await progress(TRIMMED, configOf("fang-trim")),
      await progress(MULTI_KRUM, configOf("fang-trim")),
    ];
    assert.ok(trimByTrim < krumByTrim, `trimmed mean ${trimByTrim}, Multi-Krum ${krumByTrim}`);
  });

  it("K − f − 1 sybils that agree take Krum over; f of them do not", async () => {
    const one = Float64Array.from({ length: SIZE }, () => -0.5);
    const copies = (count: number) => Array.from({ length: count }, () => Array.from(one, (value) => value * 2 ** 18));
    const rows = honest.map((update) => Array.from(update, (value) => Math.round(value * 2 ** 18)));
    const capturedBy = async (count: number, byzantine: number): Promise<boolean> =>
      ((await outcome({ rule: "krum", parameters: { byzantine } }, [...rows, ...copies(count)])).keptAt[0] as number) >=
      rows.length;
    // 25 members and f = 11: a score counts 12 neighbours, and 13 copies have as many at distance 0.
    assert.equal(await capturedBy(3, 3), false);
    assert.equal(await capturedBy(13, 11), true);
  });

  it("a scaled update is clipped to the run's bound before it leaves an honest client, whatever was trained", () => {
    const layout = modelLayout([{ name: "w", shape: [SIZE], fractionBits: 18, group: 0 }]);
    const maxNorm = BigInt(2 ** 18);
    const { decoded } = prepareUpdate({
      delta: Float32Array.from(own[0] as Float64Array, (value) => 15 * value),
      residual: new Float64Array(SIZE),
      master: new Float64Array(SIZE),
      layout,
      codec: { name: "int16", blockSize: 16 },
      bounds: { maxCoordinate: 16_777_215, maxNormSq: maxNorm * maxNorm },
    });
    const norm = Math.sqrt(decoded.reduce((sum, value) => sum + value * value, 0)) / 2 ** 18;
    assert.ok(norm <= 1 && norm > 0.99, `${norm}`);
  });

  it("copies, noised copies and identical sybils are found among the updates; honest updates and free riders' zeros are not", async () => {
    const found = async (config: AttackConfig): Promise<number> => {
      const crafted = await craftUpdates(config, {
        round: 1,
        honest,
        attackers: own.map((update, id) => ({ id, update })),
        received: new Float64Array(SIZE),
        rule: MEAN,
        random: keyedRandom("copies"),
      });
      const sent = [...honest, ...own.map((update, id) => crafted.get(id) ?? update)];
      const gram = await referenceKernels.gram(
        sent.map((update) => ({
          kind: "dense",
          values: Int32Array.from(update, (value) => Math.round(value * 2 ** 18)),
        })),
      );
      return findCopies(gram).filter((original) => original !== undefined).length;
    };
    assert.equal(await found(configOf("copycat")), 3);
    assert.equal(await found(configOf("copycat", { disguise: "noise", noise: 1e-5 })), 3);
    // The first sybil is the original of the other two.
    assert.equal(await found(configOf("sybil")), 2);
    assert.equal(await found(configOf("free-rider", { sends: "zero" })), 0);
    assert.equal(await found(configOf("negation")), 0);
  });

  it("inflated reports take over weights by samples or loss, unless the run does not weigh by samples and caps losses", async () => {
    const rows = Array.from({ length: 10 }, (_, i) => [i]);
    const truth = rows.map((_, i) => ({ samples: 50, loss: 1 + 0.01 * i }));
    const said = truth.map((report, i) => (i === 0 ? reportInflation(configOf("report-inflation"), report) : report));
    const shareOfLiar = async (rule: AggregationConfig): Promise<number> => {
      const losses = nats(...said.map(({ loss }) => loss));
      const { weights } = await outcome(
        rule,
        rows,
        said.map(({ samples }) => samples),
        undefined,
        { losses },
      );
      return (weights[0] as number) / 65_536;
    };
    const fedEba = (capMads?: number) =>
      ({
        rule: "fedeba",
        parameters: { temperature: 0.5, prior: "uniform", ...(capMads === undefined ? {} : { capMads }) },
      }) as const;
    assert.ok((await shareOfLiar(MEAN)) > 0.9);
    assert.ok(Math.abs((await shareOfLiar({ rule: "uniform-mean" })) - 0.1) < 1e-4);
    assert.ok((await shareOfLiar(fedEba())) > 0.9);
    assert.ok((await shareOfLiar(fedEba(3))) < 0.13);
  });

  it("a permuted copy is found by matching units: the assignment brings it back", async () => {
    // A layer of 8 units with 5 weights each; the copy has them in another order.
    const [units, width] = [8, SIZE / 8];
    const order = keyedRandom("order").permutation(units);
    const symmetry = (state: Float32Array): Float32Array =>
      state.map((_, j) => state[(order[Math.floor(j / width)] as number) * width + (j % width)] as number);
    const crafted = await craftUpdates(configOf("copycat", { disguise: "permutation" }), {
      round: 1,
      honest: honest.slice(0, 1),
      attackers: [{ id: 1, update: own[0] as Float64Array }],
      received: new Float64Array(SIZE),
      rule: MEAN,
      random: keyedRandom("copy"),
      symmetry,
    });
    const copy = crafted.get(1) as Float32Array;
    const victim = honest[0] as Float64Array;
    const cost = Float64Array.from({ length: units * units }, (_, at) => {
      const [a, b] = [Math.floor(at / units), at % units];
      let sum = 0;
      for (let k = 0; k < width; k++) sum -= (victim[a * width + k] as number) * (copy[b * width + k] as number);
      return sum;
    });
    const found = assign(cost, units);
    for (let j = 0; j < SIZE; j++) {
      const matched = copy[(found[Math.floor(j / width)] as number) * width + (j % width)] as number;
      assert.ok(Math.abs(matched - (victim[j] as number)) < 1e-6);
    }
  });
});
