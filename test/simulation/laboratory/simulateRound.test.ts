// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { REPUTATION_ONE } from "../../../src/protocol/reputation.ts";
import type { FederationConfig } from "../../../src/simulation/laboratory/cellConfig.ts";
import { assemble, type Federation } from "../../../src/simulation/laboratory/federation.ts";
import { simulateRound } from "../../../src/simulation/laboratory/simulateRound.ts";
import { laboratory } from "./laboratory.ts";

const { cellOf, run, surroundings } = laboratory({
  members: 8,
  rounds: 12,
  data: { name: "s-mix", s: 1.2, samples: 200, testSamples: 20 },
  partition: { kind: "iid" },
  model: { kind: "logistic" },
  training: { localEpochs: 1, batchSize: 20, learningRate: 0.2, momentum: 0 },
});
const open = (change: Record<string, unknown>): Promise<Federation> =>
  assemble(cellOf(change).config as FederationConfig, 1, surroundings());

test("cohorts have K members and are drawn anew each round, the same again", async () => {
  const cohorts = async (): Promise<number[][]> => {
    const federation = await open({ participation: 0.3 });
    const drawn: number[][] = [];
    for (let round = 1; round <= 12; round++) {
      const { invited, kept } = await simulateRound(federation, round, surroundings().kernels);
      assert.deepEqual(
        kept,
        invited.map(({ id }) => id),
      );
      drawn.push([...kept]);
    }
    return drawn;
  };
  const drawn = await cohorts();
  assert.ok(drawn.every((cohort) => cohort.length === 3));
  assert.equal(new Set(drawn.flat()).size, 8);
  assert.ok(drawn.every((cohort) => cohort.every((id, i) => i === 0 || id > (cohort[i - 1] as number))));
  assert.deepEqual(await cohorts(), drawn);
});

test("who is left out keeps of its reputation what the memory says", async () => {
  for (const reputationMemory of [0.5, 0.9]) {
    const federation = await open({
      reputationMemory,
      aggregation: { rule: "multi-krum", parameters: { byzantine: 1, selected: 7 } },
      attack: { name: "negation", count: 1, scale: 50 },
    });
    const { kept } = await simulateRound(federation, 1, surroundings().kernels);
    for (const { id, reputation } of federation.members) {
      const left = !kept.includes(id);
      assert.equal(left, federation.attackers?.ids.has(id));
      assert.ok(Math.abs(reputation / REPUTATION_ONE - (left ? reputationMemory : 1)) < 1e-4, `${id}: ${reputation}`);
    }
  }
});

test("the model is measured at the start, every so many rounds, and at the end", async () => {
  const { points } = await run({ rounds: 5, evaluate: { every: 2 } });
  assert.deepEqual(
    points.map(({ round }) => round),
    [0, 2, 4, 5],
  );
});

test("a contribution is the mean of scores that forgets as the cell says", async () => {
  const federation = await open({ serverData: { validation: 40 }, scoring: { method: "in-run-1", memory: 0.25 } });
  let expected: readonly number[] | undefined;
  for (const round of [1, 2, 3]) {
    const { scored } = await simulateRound(federation, round, surroundings().kernels);
    const scores = scored?.scores as readonly number[];
    assert.ok(scores.some((score) => score !== 0));
    const before: readonly number[] | undefined = expected;
    expected = scores.map((now, i) =>
      before === undefined ? now : Math.round(0.25 * (before[i] as number) + 0.75 * now),
    );
    assert.deepEqual(
      federation.members.map(({ contribution }) => contribution),
      expected,
    );
  }
});
