// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { acceptedBitmap, phaseEnds, type RoundFacts, stateOf } from "../../src/protocol/schedule.ts";

/** A round of four validators (q = 3, f = 1), opened in block 100, in which all goes well and nobody is early. */
const FACTS: RoundFacts = {
  openedBlock: 100,
  commitDeadline: 110,
  judgeDeadline: 120,
  attestDeadline: 130,
  finaliseDeadline: 140,
  commitEnd: 0,
  judgeEnd: 0,
  attestEnd: 0,
  finalisedBlock: 0,
  validators: 4,
  verdicts: 3,
  attestations: 3,
  accepted: 2,
  minAccepted: 2,
};

/** States of the blocks from 101 to `last`, as runs of equal ones: "state from–to". */
function timeline(changes: Partial<RoundFacts>, last = 145): string[] {
  const runs: { state: string; from: number; to: number }[] = [];
  for (let block = 101; block <= last; block++) {
    const { phase, failure } = stateOf({ ...FACTS, ...changes }, block);
    const state = failure === undefined ? phase : `${phase}: ${failure}`;
    const current = runs.at(-1);
    if (current?.state === state) current.to = block;
    else runs.push({ state, from: block, to: block });
  }
  return runs.map(({ state, from, to }) => `${state} ${from}–${to}`);
}

describe("stateOf, block by block", () => {
  const cases: Record<string, [Partial<RoundFacts>, string[]]> = {
    "each phase ends with its deadline, inclusive": [
      {},
      [
        "committing 101–110",
        "judging 111–120",
        "attesting 121–130",
        "finalising 131–140",
        "failed: NotFinalised 141–145",
      ],
    ],
    "each phase ends in the block in which the last entitled party acted": [
      { commitEnd: 103, judgeEnd: 105, attestEnd: 106 },
      [
        "committing 101–103",
        "judging 104–105",
        "attesting 106–106",
        "finalising 107–140",
        "failed: NotFinalised 141–145",
      ],
    ],
    "an early end of one phase leaves the deadlines of the next": [
      { commitEnd: 104 },
      [
        "committing 101–104",
        "judging 105–120",
        "attesting 121–130",
        "finalising 131–140",
        "failed: NotFinalised 141–145",
      ],
    ],
    "too few accepted: failed from the end of judging": [
      { accepted: 1 },
      ["committing 101–110", "judging 111–120", "failed: TooFewAccepted 121–145"],
    ],
    "too few accepted, with judging ended early": [
      { accepted: 0, commitEnd: 102, judgeEnd: 104 },
      ["committing 101–102", "judging 103–104", "failed: TooFewAccepted 105–145"],
    ],
    "less than a quorum of verdicts": [
      { verdicts: 2 },
      ["committing 101–110", "judging 111–120", "failed: NoVerdicts 121–145"],
    ],
    "missing verdicts are named before missing updates": [
      { verdicts: 2, accepted: 0 },
      ["committing 101–110", "judging 111–120", "failed: NoVerdicts 121–145"],
    ],
    "missing updates are named before missing seals": [
      { accepted: 0, attestations: 0 },
      ["committing 101–110", "judging 111–120", "failed: TooFewAccepted 121–145"],
    ],
    "less than a quorum of seals: failed from the end of attesting": [
      { attestations: 2 },
      ["committing 101–110", "judging 111–120", "attesting 121–130", "failed: NoQuorum 131–145"],
    ],
  };
  for (const [name, [changes, expected]] of Object.entries(cases)) {
    it(name, () => assert.deepEqual(timeline(changes), expected));
  }
  it("a finalised round stays finalised, whatever else is true of it", () => {
    assert.deepEqual(timeline({ finalisedBlock: 135 }), ["finalised 101–145"]);
    assert.deepEqual(stateOf({ ...FACTS, finalisedBlock: 135, accepted: 0, verdicts: 0 }, 1_000), {
      phase: "finalised",
    });
  });
});

describe("phaseEnds", () => {
  it("are the deadlines until the last entitled party has acted", () => {
    assert.deepEqual(phaseEnds(FACTS), { commit: 110, judge: 120, attest: 130 });
    assert.deepEqual(phaseEnds({ ...FACTS, judgeEnd: 115 }), { commit: 110, judge: 115, attest: 130 });
  });
});

describe("acceptedBitmap", () => {
  it("takes the updates with f+1 yes verdicts", () => {
    // Four validators, f+1 = 2: index 0 has one yes, 1 two, 2 three, 3 none.
    assert.equal(acceptedBitmap([0b0111n, 0b0110n, 0b0100n], 4, 4), 0b0110n);
    // Seven validators, f+1 = 3: of the same verdicts only index 2 is left.
    assert.equal(acceptedBitmap([0b0111n, 0b0110n, 0b0100n], 4, 7), 0b0100n);
    // One validator decides alone.
    assert.equal(acceptedBitmap([0b101n], 3, 1), 0b101n);
  });
  it("is empty without verdicts or commits, and ignores bits beyond the commits", () => {
    assert.equal(acceptedBitmap([], 5, 4), 0n);
    assert.equal(acceptedBitmap([0b11n, 0b11n], 0, 4), 0n);
    assert.equal(acceptedBitmap([0b111n, 0b111n], 2, 4), 0b11n);
  });
  it("reaches the last bit of the word", () => {
    const last = 1n << 255n;
    assert.equal(acceptedBitmap([last, last | 1n], 256, 4), last);
  });
});
