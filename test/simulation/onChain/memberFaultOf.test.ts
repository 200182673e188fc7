// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { keyedRandom } from "../../../src/protocol/random.ts";
import { type AttackConfig, attackSchema } from "../../../src/simulation/attacks/attackConfig.ts";
import { Attackers } from "../../../src/simulation/laboratory/attackers.ts";
import { whyNoMemberFault } from "../../../src/simulation/onChain/memberFaultOf.ts";

const MEMBERS = [1, 2, 3, 4, 5, 6];
const COUNT = 3;
const SIZE = 40;

type Attacks = readonly [AttackConfig, ...AttackConfig[]];
const attacksOf = (...attacks: Record<string, unknown>[]): Attacks =>
  attacks.map((attack) => attackSchema.parse({ count: COUNT, ...attack })) as unknown as Attacks;

const trainedIn = (round: number, id: number): Float32Array => {
  const random = keyedRandom("trained", round, id);
  return Float32Array.from({ length: SIZE }, () => random.normal());
};

/** What attackers send in each of three rounds: all crafted together as in the laboratory, or each by itself as nodes do. */
async function sent(attacks: Attacks, together: boolean): Promise<unknown> {
  const random = keyedRandom("attackers");
  const everybody = new Attackers(attacks, MEMBERS, random);
  const nodes = MEMBERS.map((id) => ({ ids: [id], attackers: new Attackers(attacks, MEMBERS, random) }));
  const rounds = [];
  for (const round of [1, 2, 3]) {
    const all = new Map<number, number[]>();
    for (const { ids, attackers } of together ? [{ ids: MEMBERS, attackers: everybody }] : nodes) {
      const crafted = await attackers.craft({
        round,
        trained: ids.map((id) => ({ id, delta: trainedIn(round, id) })),
        received: trainedIn(round, 0),
        previous: undefined,
        rule: { rule: "weighted-mean" },
      });
      for (const [id, delta] of crafted) all.set(id, [...delta]);
    }
    rounds.push(MEMBERS.map((id) => all.get(id)));
  }
  return rounds;
}

describe("attacks as nodes carry them out", () => {
  const POSSIBLE: Readonly<Record<string, Attacks>> = {
    "one that flips and scales": attacksOf({ name: "negation" }, { name: "scaling", scale: 3 }),
    "noise of each its own, from the second round on": attacksOf(
      { name: "gaussian-noise", collusion: false, schedule: { from: 2 } },
      { name: "negation", scale: 2, schedule: { probability: 0.5 } },
    ),
    "corrupted weights, then the last update again": attacksOf(
      { name: "weight-corruption", collusion: false },
      { name: "replay" },
    ),
    "nothing at all": attacksOf({ name: "free-rider", sends: "zero" }, { name: "report-inflation", samplesFactor: 1 }),
    "poison alone": attacksOf({ name: "label-flip" }, { name: "non-finite" }),
  };
  for (const [what, attacks] of Object.entries(POSSIBLE))
    it(`send what they send in the laboratory: ${what}`, async () => {
      for (const attack of attacks) assert.equal(whyNoMemberFault(attack, COUNT), undefined, attack.name);
      assert.deepEqual(await sent(attacks, false), await sent(attacks, true));
    });

  it("are refused where they would not: attackers that draw from one stream, as many as the first attack says", async () => {
    for (const name of ["gaussian-noise", "weight-corruption"]) {
      const attacks = attacksOf({ name: "label-flip" }, { name, count: 1 });
      const [, noise] = attacks as readonly AttackConfig[];
      assert.match(whyNoMemberFault(noise as AttackConfig, COUNT) ?? "", /set attack\.collusion to false/);
      assert.equal(whyNoMemberFault(noise as AttackConfig, 1), undefined);
      assert.notDeepEqual(await sent(attacks, false), await sent(attacks, true));
    }
  });
});
