// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { callIn } from "../../src/chain/traffic.ts";
import type { Participant } from "../../src/simulation/participants.ts";
import { type Interference, type RunTraces, runFederation, type Victims } from "./federation.ts";

const ROUNDS = 4;

/** A moment in the life of a participant, seen from the wire. */
interface Moment {
  readonly call: string;
  readonly round?: number;
  /**
   * "before": the transaction was about to leave and never does. "sent": it has left, and its sender never learns so. "mined": its sender was
   * about to learn that it is in a block.
   */
  readonly when: "before" | "sent" | "mined";
}

const NODE_KILLS: readonly Moment[] = [
  { call: "commit", round: 1, when: "before" },
  { call: "commit", round: 2, when: "sent" },
  { call: "commit", round: 3, when: "mined" },
  // The closing round.
  { call: "commit", round: ROUNDS + 1, when: "sent" },
  { call: "claim", when: "sent" },
];

const VALIDATOR_KILLS: readonly Moment[] = [
  { call: "registerBeaconChain", when: "sent" },
  { call: "verdict", round: 1, when: "before" },
  { call: "verdict", round: 2, when: "sent" },
  { call: "attest", round: 2, when: "before" },
  { call: "attest", round: 3, when: "sent" },
  { call: "verdict", round: 4, when: "mined" },
  // Validator 0 is the first proposer of round 4.
  { call: "finalise", round: 4, when: "sent" },
];

/** Kills the victim at each moment, once, and starts it again on the same files. */
function killer(victims: Victims, victim: Participant, moments: readonly Moment[], done: Moment[]): Interference {
  const awaited = new Map<string, Moment>();
  const kill = (moment: Moment): void => {
    if (done.includes(moment)) return;
    done.push(moment);
    void victim.kill().then(() => victims.restart(victim));
  };
  const momentOf = (rawTransaction: unknown): Moment | undefined => {
    const sent = callIn(String(rawTransaction));
    return moments.find(
      (moment) => moment.call === sent?.call && moment.round === sent.round && !done.includes(moment),
    );
  };
  return {
    before({ method, params }) {
      const moment = method === "eth_sendRawTransaction" ? momentOf(params[0]) : undefined;
      if (moment?.when !== "before") return true;
      kill(moment);
      return false;
    },
    after({ method, params }, result) {
      if (method === "eth_sendRawTransaction") {
        const moment = momentOf(params[0]);
        if (moment?.when === "sent") kill(moment);
        if (moment?.when === "mined") awaited.set(String(result), moment);
      }
      if (method === "eth_getTransactionReceipt" && result !== null) {
        const moment = awaited.get(String(params[0]));
        if (moment !== undefined) kill(moment);
      }
      return result;
    },
  };
}

describe("a node and a validator killed at every step", () => {
  let calm: RunTraces;
  let killed: RunTraces;
  const done: Moment[] = [];

  before(async () => {
    calm = await runFederation(ROUNDS, () => ({ node: {}, validator: {} }));
    killed = await runFederation(ROUNDS, (victims) => ({
      node: killer(victims, victims.node, NODE_KILLS, done),
      validator: killer(victims, victims.validator, VALIDATOR_KILLS, done),
    }));
  });

  it("were killed at all of them", () => {
    const missed = [...NODE_KILLS, ...VALIDATOR_KILLS].filter((moment) => !done.includes(moment));
    assert.deepEqual(missed, []);
  });

  it("the run ends after its rounds, none of which failed", () => {
    assert.equal(killed.rounds.length, ROUNDS + 1);
    for (const [i, record] of killed.rounds.entries())
      assert.ok(record !== undefined, `round ${i + 1} was not finalised`);
  });

  it("every model is the one of a run in which nobody was killed, bit for bit", () => {
    assert.deepEqual(
      killed.rounds.map((record) => record?.modelRoot),
      calm.rounds.map((record) => record?.modelRoot),
    );
  });

  it("the node's error feedback and every member's standing are the same", () => {
    assert.deepEqual(killed.residual, calm.residual);
    assert.ok(
      new Float64Array(new Uint8Array(calm.residual).buffer, 0, calm.residual.length >> 3).some((value) => value !== 0),
      "there is error feedback to lose",
    );
    const facts = (traces: RunTraces) =>
      traces.standings.map(({ reputationQ16, participation, contribution, reward, claimed }) => ({
        reputationQ16,
        participation,
        contribution,
        reward,
        claimed,
      }));
    assert.deepEqual(facts(killed), facts(calm));
  });

  it("nothing was sent twice", () => {
    const counted = (account: string): Record<string, number> => {
      const counts: Record<string, number> = {};
      for (const call of killed.calls)
        if (call.account.toLowerCase() === account.toLowerCase()) counts[call.call] = (counts[call.call] ?? 0) + 1;
      return counts;
    };
    const node = counted(killed.accounts.node);
    assert.deepEqual(node, { commit: ROUNDS + 1, claim: 1 });
    const { registerBeaconChain, verdict, attest, ...others } = counted(killed.accounts.validator);
    assert.deepEqual(
      { registerBeaconChain, verdict, attest },
      { registerBeaconChain: 1, verdict: ROUNDS + 1, attest: ROUNDS + 1 },
    );
    // A transaction that the contracts refused uses a nonce too.
    const sum = (counts: Record<string, number>) => Object.values(counts).reduce((total, count) => total + count, 0);
    assert.equal(killed.nonces.node, sum(node));
    // Opening, finalising and settling are a race among validators, which is lost in a block at times.
    const own = 1 + 2 * (ROUNDS + 1) + sum(others);
    assert.ok(
      killed.nonces.validator - own <= 1,
      `${killed.nonces.validator} transactions, of which ${own} count: ${JSON.stringify(others)}`,
    );
  });
});
