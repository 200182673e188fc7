// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { hashChain } from "../../src/protocol/beacon.ts";
import { fromHex, type Hex, toHex } from "../../src/protocol/bytes.ts";
import { keccak256 } from "../../src/protocol/hash.ts";
import type { Finalisation, LedgerWriter, RunView, Standing } from "../../src/protocol/ledger.ts";
import { SILENT } from "../../src/protocol/logger.ts";
import { openNextRound } from "../../src/validator/openNextRound.ts";
import { nextPreimage } from "../../src/validator/round/beaconPreimage.ts";
import { finaliseRound } from "../../src/validator/round/finaliseRound.ts";
import { ScoreDuties } from "../../src/validator/scoreDuties.ts";
import { settleRun } from "../../src/validator/settleRun.ts";
import type { ValidatorContext, ValidatorRound } from "../../src/validator/validatorContext.ts";
import { addressOf, RECEIPT, ScriptedChain, settled, VALIDATORS } from "../support/scriptedChain.ts";

const SECRET = new Uint8Array(32).fill(5);
const PARAMS = { viewBlocks: 5, judgeBlocks: 30, maxOpenings: 3, omegaQ16: 32_768 };

function validator(ledger: LedgerWriter, changes: Partial<ValidatorContext> = {}): ValidatorContext {
  return {
    run: 1n,
    params: PARAMS,
    ledger,
    beaconSecret: SECRET,
    logger: SILENT,
    signal: new AbortController().signal,
    ...changes,
  } as unknown as ValidatorContext;
}

describe("finaliseRound", () => {
  const finalisation = {} as Finalisation;
  const ATTESTED = { verdicts: 4, accepted: 5, attestations: 4, commitEnd: 104, judgeEnd: 108, attestEnd: 112 };

  function proposer(chain: ScriptedChain, index: number, finalise: () => Promise<void>) {
    const proofs: number[] = [];
    const self = VALIDATORS.validators[index];
    const round = { view: chain.view(), recipients: { validatorSet: VALIDATORS, keys: [] }, self } as ValidatorRound;
    const context = validator(
      chain.ledger(addressOf(index), {
        finalise: async () => {
          await finalise();
          return RECEIPT;
        },
      }),
    );
    const closed = finaliseRound(context, round, async () => {
      proofs.push(chain.block);
      return finalisation;
    });
    return { proofs, closed };
  }

  // Round 7 of four validators: the order of proposers is 3, 0, 1, 2. View j begins 5·j blocks after block 112; the first may at once.
  for (const [index, mayFrom] of [
    [3, 113],
    [0, 117],
    [1, 122],
    [2, 127],
  ] as const) {
    it(`validator ${index} finalises round 7 in block ${mayFrom}, the first that its view allows`, async () => {
      const chain = new ScriptedChain(7, ATTESTED);
      const sent: number[] = [];
      const { closed } = proposer(chain, index, async () => {
        sent.push(chain.block + 1);
        chain.facts = { ...chain.facts, finalisedBlock: chain.block + 1 };
      });
      await chain.mineTo(140);
      assert.deepEqual(sent, [mayFrom]);
      assert.equal((await closed).phase, "finalised");
    });
  }

  it("the first in line proves while others still attest, the next only in its own view", async () => {
    const chain = new ScriptedChain(7, { ...ATTESTED, attestations: 3, attestEnd: 0 });
    const first = proposer(chain, 3, async () => {
      throw new Error("the endpoint is gone");
    });
    const second = proposer(chain, 0, async () => {
      chain.facts = { ...chain.facts, finalisedBlock: chain.block + 1 };
    });
    await settled();
    assert.deepEqual([first.proofs, second.proofs], [[100], []]);
    await chain.mineTo(112);
    const failed = assert.rejects(first.closed, /the endpoint is gone/);
    await chain.mine({ attestations: 4, attestEnd: 113 });
    await failed;
    await chain.mineTo(116);
    assert.deepEqual(second.proofs, []);
    await chain.mineTo(118);
    assert.deepEqual(second.proofs, [117]);
    assert.equal((await second.closed).phase, "finalised");
  });

  it("whoever waits for its view makes no proof when somebody finalises before", async () => {
    const chain = new ScriptedChain(7, ATTESTED);
    const last = proposer(chain, 2, () => assert.fail("finalised a final round"));
    await chain.mineTo(114);
    await chain.mine({ finalisedBlock: 115 });
    assert.equal((await last.closed).phase, "finalised");
    assert.deepEqual(last.proofs, []);
  });

  it("being overtaken while proving is no failure, a refusal of an open round is", async () => {
    const overtaken = new ScriptedChain(7, ATTESTED);
    const late = proposer(overtaken, 3, async () => {
      overtaken.facts = { ...overtaken.facts, finalisedBlock: overtaken.block };
      throw new Error("reverted");
    });
    await overtaken.mineTo(114);
    assert.equal((await late.closed).phase, "finalised");

    const open = new ScriptedChain(7, ATTESTED);
    const refused = assert.rejects(
      proposer(open, 3, async () => {
        throw new Error("reverted");
      }).closed,
      /reverted/,
    );
    await open.mineTo(114);
    await refused;
  });

  it("nobody finalises without q seals", async () => {
    const chain = new ScriptedChain(7, { ...ATTESTED, attestations: 2, attestEnd: 0 });
    const first = proposer(chain, 3, () => assert.fail("finalised without a quorum"));
    await chain.mineTo(131);
    const { phase, failure } = await first.closed;
    assert.deepEqual([phase, failure], ["failed", "NoQuorum"]);
  });
});

describe("openNextRound", () => {
  const CLOSED_SINCE = 200;
  const tips = async (): Promise<Hex> => `0x${"11".repeat(32)}`;

  async function tries(index: number, waited: number, calls: Partial<LedgerWriter> = {}): Promise<boolean> {
    const chain = new ScriptedChain(7);
    chain.block = CLOSED_SINCE + waited;
    const openRound = async () => RECEIPT;
    const ledger = chain.ledger(addressOf(index), { openRound, beaconTip: tips, ...calls });
    return openNextRound(validator(ledger), { run: 1n, lastRound: 7 } as RunView, CLOSED_SINCE);
  }

  it("goes in the order of the last round's proposers, a view each", async () => {
    for (const [index, turn] of [
      [3, 0],
      [0, 1],
      [1, 2],
      [2, 3],
    ] as const) {
      if (turn > 0) assert.equal(await tries(index, 5 * turn - 1), false, `validator ${index} a block too early`);
      assert.equal(await tries(index, 5 * turn), true, `validator ${index}`);
    }
  });

  it("waits for every hash chain, and no longer than a judging window", async () => {
    const beaconTip = async (_: bigint, id: number) => (id === 4 ? undefined : tips());
    assert.equal(await tries(3, 29, { beaconTip }), false);
    assert.equal(await tries(3, 30, { beaconTip }), true);
  });

  it("is not for a key that is in no seat", async () => {
    assert.equal(await tries(7, 1_000, { openRound: () => assert.fail("opened") }), false);
  });

  it("being overtaken is success, any other failure is one", async () => {
    const openRound = () => Promise.reject(new Error("reverted"));
    const runView = async () => ({ lastRound: 8 }) as RunView;
    assert.equal(await tries(3, 0, { openRound, runView }), true);
    await assert.rejects(tries(3, 0, { openRound }), /reverted/);
  });
});

describe("settleRun", () => {
  // 1 000 units by halves: contributions 2 : 1 give 333 1/3 and 166 2/3, participations 1 : 2 of 500 the reverse.
  const STANDINGS: Record<number, Partial<Standing>> = {
    1: { contribution: 2n, participation: 1 },
    2: { contribution: 1n, participation: 2 },
    3: { contribution: -5n, participation: 0 },
  };

  let pending = 0;

  function settling(chain: ScriptedChain, settle: LedgerWriter["settle"]): Promise<void> {
    const ledger = chain.ledger(addressOf(0), {
      settlementBlock: async () => 105,
      settlementPool: async () => 1_000n,
      pendingScores: async () => pending,
      memberCount: async () => 3,
      standingOf: async (_, memberId) => STANDINGS[memberId] as Standing,
      settle,
    });
    const context = { ...validator(ledger), recipe: { scoring: { mode: "exact" } } } as ValidatorContext;
    return settleRun(context, new ScoreDuties(context));
  }

  it("waits for the last challenge window and names the cut-offs", async () => {
    const chain = new ScriptedChain(7);
    const calls: unknown[] = [];
    const done = settling(chain, async (_, contribution, participation) => {
      calls.push([chain.block, contribution.memberId, participation.memberId]);
      chain.run = { settled: true };
      return RECEIPT;
    });
    await chain.mineTo(105);
    assert.deepEqual(calls, []);
    await chain.mine();
    await done;
    // One unit is missing in each part; it goes to the remainder of two thirds: member 2 by contribution, member 1 by participation.
    assert.deepEqual(calls, [[106, 2, 1]]);
  });

  it("waits until no attested scores are pending", async () => {
    const chain = new ScriptedChain(7);
    pending = 1;
    const calls: number[] = [];
    const done = settling(chain, async () => {
      calls.push(chain.block);
      chain.run = { settled: true };
      return RECEIPT;
    });
    await chain.mineTo(109);
    assert.deepEqual(calls, []);
    pending = 0;
    await chain.mine();
    await done;
    assert.deepEqual(calls, [110]);
  });

  it("a settled run is left alone, and being overtaken is no failure", async () => {
    const settledRun = new ScriptedChain(7);
    settledRun.run = { settled: true };
    await settling(settledRun, () => assert.fail("settled twice"));

    const overtaken = new ScriptedChain(7);
    overtaken.block = 106;
    await settling(overtaken, async () => {
      overtaken.run = { settled: true };
      throw new Error("reverted");
    });
  });

  it("a refused settlement of an unsettled run is a failure", async () => {
    const chain = new ScriptedChain(7);
    chain.block = 106;
    await assert.rejects(
      settling(chain, () => Promise.reject(new Error("reverted"))),
      /reverted/,
    );
  });
});

describe("the preimage that a verdict reveals", () => {
  const chainOf = (secret: Uint8Array, run = 1n) => hashChain(secret, run, PARAMS.maxOpenings);
  const after = (tip: Hex | undefined) =>
    nextPreimage(validator({ beaconTip: async () => tip } as unknown as LedgerWriter), 1);

  it("opens the last link, from the registered end to the last round that can be opened", async () => {
    let tip = chainOf(SECRET)[0] as Hex;
    for (let opening = 0; opening < PARAMS.maxOpenings; opening++) {
      const reveal = await after(tip);
      assert.equal(toHex(keccak256(fromHex(reveal))), tip);
      tip = reveal;
    }
    await assert.rejects(after(tip), /is not in this validator's hash chain/);
  });

  it("of another key file's chain, another run's or none is refused instead of guessed", async () => {
    const unknown = { code: "BEACON_CHAIN_UNKNOWN" };
    await assert.rejects(after(chainOf(new Uint8Array(32).fill(6))[0]), unknown);
    await assert.rejects(after(chainOf(SECRET, 2n)[0]), unknown);
    await assert.rejects(after(undefined), unknown);
  });
});
