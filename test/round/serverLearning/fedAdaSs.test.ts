// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { utf8 } from "../../../src/protocol/bytes.ts";
import { keyedRandom } from "../../../src/protocol/random.ts";
import {
  type CandidateServer,
  chooseServer,
  handOverDigest,
  type Link,
  linkKey,
  observeRound,
  openSelection,
} from "../../../src/round/serverLearning/fedAdaSs.ts";
import { serverSelectionSchema } from "../../../src/round/serverLearning/serverConfig.ts";

const OPTIONS = serverSelectionSchema.parse({
  name: "fedadass",
  deadline: 10,
  explore: { kind: "epsilon-greedy", epsilon: 0 },
});
const RANDOM = keyedRandom("selection");
const MEMBERS = Array.from({ length: 11 }, (_, member) => ({ member, computeSeconds: 0.5, bytes: 1000 }));

const server = (name: string, changes: Partial<CandidateServer> = {}): CandidateServer => ({
  name,
  up: true,
  price: 1,
  aggregationSeconds: 0.4,
  ...changes,
});

/** Every member reaches server i with `seconds[i]` of transfer and a tenth of a second's round trip. */
function links(...seconds: readonly number[]): ReadonlyMap<string, Link> {
  return new Map(
    seconds.flatMap((s, i) =>
      MEMBERS.map(
        ({ member }) => [linkKey(`s${i + 1}`, member), { bandwidth: 1000 / s, roundTripSeconds: 0.1 }] as const,
      ),
    ),
  );
}

describe("FedAdaSS", () => {
  // .5 + .1 + .4 = 1 second besides the transfer.
  const state = openSelection(links(1, 2));
  const servers = [server("s1"), server("s2")];

  it("T = (2, 3) at equal price: the first; after its outage in the same round: the second", () => {
    const choice = chooseServer(state, 1, servers, MEMBERS, OPTIONS, RANDOM);
    assert.equal(choice.server, "s1");
    assert.equal(choice.why, "best");
    for (const [name, seconds] of [
      ["s1", 2],
      ["s2", 3],
    ] as const)
      assert.ok(Math.abs((choice.predictedSeconds.get(name) as number) - seconds) < 1e-12);
    // U = −T/2.5 − .1·1 + .1·1.
    assert.ok(Math.abs((choice.utilities.get("s2") as number) + 1.2) < 1e-12);

    const outage = [server("s1", { up: false }), server("s2")];
    assert.equal(chooseServer(state, 1, outage, MEMBERS, OPTIONS, RANDOM).server, "s2");
    const nobody = outage.map((candidate) => ({ ...candidate, up: false }));
    assert.throws(() => chooseServer(state, 1, nobody, MEMBERS, OPTIONS, RANDOM), { code: "BAD_CONFIG" });
  });

  it("judges by the 0.9-quantile: one slow member of eleven does not decide, two do", () => {
    const slow = (count: number) =>
      MEMBERS.map((load) => ({ ...load, computeSeconds: load.member < count ? 50 : 0.5 }));
    const seconds = (count: number) =>
      chooseServer(state, 1, servers, slow(count), OPTIONS, RANDOM).predictedSeconds.get("s1") as number;
    assert.ok(seconds(1) < 3 && seconds(2) > 40, `${seconds(1)}, ${seconds(2)}`);
  });

  it("pays for a slower server only if price says so, and counts who is late", () => {
    const dear = [server("s1", { price: 9 }), server("s2")];
    assert.equal(chooseServer(state, 1, dear, MEMBERS, OPTIONS, RANDOM).server, "s1");
    assert.equal(chooseServer(state, 1, dear, MEMBERS, { ...OPTIONS, priceWeight: 1 }, RANDOM).server, "s2");
    const strict = { ...OPTIONS, deadline: 2, punctualityWeight: 5, priceWeight: 1 };
    assert.equal(chooseServer(state, 1, dear, MEMBERS, strict, RANDOM).server, "s1");
  });

  it("lets servers within 5 % take turns, each once in as many rounds", () => {
    const close = openSelection(links(1, 1.05, 5));
    const three = [...servers, server("s3")];
    const choices = [0, 1, 2, 3, 4, 5].map((round) => chooseServer(close, round, three, MEMBERS, OPTIONS, RANDOM));
    for (const start of [0, 2, 4])
      assert.deepEqual(new Set(choices.slice(start, start + 2).map(({ server: name }) => name)), new Set(["s1", "s2"]));
    assert.ok(choices.every(({ server: name, why }) => (why === "best") === (name === "s1")));
  });

  it("explores with probability ε, keyed by the round", () => {
    const exploring = { ...OPTIONS, explore: { kind: "epsilon-greedy", epsilon: 0.3 } as const };
    const rounds = Array.from({ length: 400 }, (_, round) =>
      chooseServer(state, round, servers, MEMBERS, exploring, RANDOM),
    );
    const explored = rounds.filter(({ why }) => why === "exploration").length / 400;
    assert.ok(Math.abs(explored - 0.3) < 4 * Math.sqrt((0.3 * 0.7) / 400), `${explored}`);
    assert.deepEqual(chooseServer(state, 7, servers, MEMBERS, exploring, RANDOM), rounds[7]);
  });

  it("with UCB tries every server, then mostly the better one", () => {
    let learned = state;
    for (let round = 0; round < 60; round++) {
      const choice = chooseServer(learned, round, servers, MEMBERS, { ...OPTIONS, explore: { kind: "ucb" } }, RANDOM);
      learned = observeRound(learned, choice.server, new Map());
    }
    const [first, second] = ["s1", "s2"].map((name) => learned.chosen.get(name) as number);
    assert.ok((second as number) >= 5 && (first as number) > (second as number), `${first}, ${second}`);
  });

  it("moves a link's estimate by a fifth towards what was observed; a path never measured is refused", () => {
    const observed = new Map([[0, { bandwidth: 2000, roundTripSeconds: 0.6 }]]);
    const next = observeRound(state, "s1", observed).links.get(linkKey("s1", 0));
    assert.equal(next?.bandwidth, 1200);
    assert.ok(Math.abs((next?.roundTripSeconds as number) - 0.2) < 1e-15);
    assert.throws(() => chooseServer(openSelection(new Map()), 1, servers, MEMBERS, OPTIONS, RANDOM), /never measured/);
  });

  it("hands state over by one digest that depends on every part, its name and the round, not on their order", () => {
    const parts = { model: utf8("w"), optimiser: utf8("m"), reputations: utf8("r") };
    const digest = handOverDigest(3, parts);
    assert.deepEqual(
      handOverDigest(3, { reputations: parts.reputations, optimiser: parts.optimiser, model: parts.model }),
      digest,
    );
    for (const other of [
      handOverDigest(4, parts),
      handOverDigest(3, { ...parts, model: utf8("v") }),
      handOverDigest(3, { ...parts, model: parts.optimiser, optimiser: parts.model }),
      handOverDigest(3, { model: parts.model, optimizer: parts.optimiser, reputations: parts.reputations }),
    ])
      assert.notDeepEqual(other, digest);
  });
});
