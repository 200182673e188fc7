// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { ZeroHash } from "ethers";
import type { RoundResult } from "../../src/protocol/attestation.ts";
import { nextBeacon } from "../../src/protocol/beacon.ts";
import { reverts } from "./support/reverts.ts";
import {
  attest,
  codesFor,
  commit,
  type Finalisation,
  finalise,
  giveVerdict,
  nextReveal,
  openRound,
  openRun,
  type PlayedRound,
  playAttested,
  playCommits,
  playJudged,
  playRound,
  proposerOf,
  sealOf,
  skipPhase,
} from "./support/round.ts";
import {
  advanceTo,
  beaconChain,
  deployWorld,
  isolate,
  type Party,
  parties,
  read,
  send,
  type World,
  word,
} from "./support/world.ts";

const ALL = 0b11111n;

describe("lies of validators", () => {
  let world: World;
  let run: bigint;
  const validator = (index: number) => world.validators[index] as Party;
  const member = (id: number) => world.members[id - 1] as Party;
  const verdictBy = (by: Party, round: number, bitmap = ALL, commits = 5) =>
    giveVerdict(world, run, round, by, bitmap, commits);
  const rawVerdict = (by: Party, round: number, bitmap: bigint, codes: string, reveal: string) =>
    send(by.account, world.ledger, "verdict", [run, round, bitmap, codes, reveal]);

  before(async () => {
    world = await deployWorld();
    run = await openRun(world);
  });
  isolate(() => world);

  describe("verdicts", () => {
    let round: number;
    const committed = async () => {
      ({ round } = await playCommits(world, run));
    };

    it("verdict by a non-validator", async () => {
      await committed();
      await reverts(world, rawVerdict(member(1), round, ALL, codesFor(ALL, 5), word("x")), "ConsortiumUnauthorized", {
        account: member(1).wallet.address,
      });
    });

    it("verdict by a suspended validator", async () => {
      await committed();
      await send(world.admin, world.consortium, "setValidatorSuspended", [2, true]);
      await reverts(world, verdictBy(validator(1), round), "ConsortiumSuspended", { id: 2 });
    });

    it("verdict twice", async () => {
      await committed();
      await verdictBy(validator(0), round);
      await reverts(world, verdictBy(validator(0), round, 0n), "TrainingLedgerVerdictGiven", { validatorId: 1 });
    });

    it("verdict out of phase", async () => {
      round = await openRound(world, run);
      await commit(world, run, round, member(1));
      await reverts(world, verdictBy(validator(0), round, 1n, 1), "TrainingLedgerWrongPhase", { phase: 1, wanted: 2 });
      const { judgeDeadline } = await read(world.ledger, "roundOf", [run, round]);
      await advanceTo(world, judgeDeadline);
      await verdictBy(validator(0), round, 1n, 1);
      await reverts(world, verdictBy(validator(1), round, 1n, 1), "TrainingLedgerWrongPhase", { phase: 6 });
    });

    it("a verdict in the deadline block counts, one in the block after does not", async () => {
      await committed();
      const { judgeDeadline } = await read(world.ledger, "roundOf", [run, round]);
      for (const index of [0, 1]) await verdictBy(validator(index), round);
      await advanceTo(world, judgeDeadline);
      await verdictBy(validator(2), round);
      await reverts(world, verdictBy(validator(3), round), "TrainingLedgerWrongPhase", { phase: 3 });
    });

    it("wrong hash-chain preimage", async () => {
      await committed();
      const chain = beaconChain(validator(0), run);
      for (const reveal of [chain[0], chain[2], word("x"), ZeroHash]) {
        await reverts(
          world,
          rawVerdict(validator(0), round, ALL, codesFor(ALL, 5), reveal as string),
          "TrainingLedgerWrongReveal",
          { validatorId: 1 },
        );
      }
      await rawVerdict(validator(0), round, ALL, codesFor(ALL, 5), chain[1] as string);
    });

    it("withheld preimage: it stays out of the beacon, and a chain registered too late opens nothing", async () => {
      const [late] = (await parties(world.connection, "late", 1, 5)) as [Party];
      const change = { validatorId: 0, signer: late.wallet.address, encryptionKey: late.encryptionKey };
      for (const index of [0, 1, 2])
        await send(validator(index).account, world.consortium, "approveValidatorChange", [change]);
      await committed();
      await send(late.account, world.ledger, "registerBeaconChain", [run, beaconChain(late, run)[0]]);
      await reverts(
        world,
        rawVerdict(late, round, ALL, codesFor(ALL, 5), beaconChain(late, run)[1] as string),
        "TrainingLedgerChainTooLate",
        { validatorId: 5 },
      );
      for (const index of [0, 1, 2, 3]) await verdictBy(validator(index), round);
      await skipPhase(world, run, round, "judgeEnd");
      const { beaconBefore } = await read(world.ledger, "roundOf", [run, round]);
      const revealed = [0, 1, 2, 3].map((index) => beaconChain(validator(index), run)[1] as `0x${string}`);
      await send(world.outsider, world.token, "mint", [world.outsider.address, 1n]);
      assert.equal(await read(world.ledger, "beaconOf", [run, round]), nextBeacon(beaconBefore, revealed));
    });

    it("the beacon is not read before judging is over", async () => {
      await committed();
      await reverts(world, read(world.ledger, "beaconOf", [run, round]), "TrainingLedgerBeaconNotReady");
    });

    it("a second hash chain, an empty one, and one by a member", async () => {
      const register = (by: Party, end: string) => send(by.account, world.ledger, "registerBeaconChain", [run, end]);
      await reverts(world, register(validator(0), word("another")), "TrainingLedgerChainRegistered", {
        validatorId: 1,
      });
      await reverts(world, register(member(1), word("end")), "TrainingLedgerUnauthorized");
      const other = await openRun(world);
      const [late] = (await parties(world.connection, "late", 1, 5)) as [Party];
      const change = { validatorId: 0, signer: late.wallet.address, encryptionKey: late.encryptionKey };
      for (const index of [0, 1, 2])
        await send(validator(index).account, world.consortium, "approveValidatorChange", [change]);
      await reverts(
        world,
        send(late.account, world.ledger, "registerBeaconChain", [other, ZeroHash]),
        "TrainingLedgerZeroChainEnd",
      );
    });

    it("verdicts that contradict themselves", async () => {
      await committed();
      const reveal = await nextReveal(world, run, validator(0));
      const cases: [bigint, string, string][] = [
        [0b100000n, "0x0000000000", "TrainingLedgerBadBitmap"],
        [1n << 200n, "0x0000000000", "TrainingLedgerBadBitmap"],
        [ALL, "0x00000000", "TrainingLedgerBadCodeCount"],
        [ALL, "0x000000000000", "TrainingLedgerBadCodeCount"],
        [0b11110n, "0x0000000000", "TrainingLedgerBadCode"],
        [ALL, "0x0000010000", "TrainingLedgerBadCode"],
        [0b11110n, "0x1000000000", "TrainingLedgerBadCode"],
      ];
      for (const [bitmap, codes, error] of cases)
        await reverts(world, rawVerdict(validator(0), round, bitmap, codes, reveal), error);
      await rawVerdict(validator(0), round, 0b11110n, "0x0f00000000", reveal);
    });

    it("f liars neither admit nor censor", async () => {
      await committed();
      await verdictBy(validator(0), round, 0b00001n);
      for (const index of [1, 2, 3]) await verdictBy(validator(index), round, 0b11110n);
      assert.equal(await read(world.ledger, "acceptedOf", [run, round]), 0b11110n);
    });
  });

  describe("attestations", () => {
    const attestAs = (by: Party, played: PlayedRound, seal = word("seal")) =>
      send(by.account, world.proof, "attest", [run, played.round, seal]);

    it("attestation by a non-validator", async () => {
      const played = await playJudged(world, run);
      await reverts(world, attestAs(member(1), played), "ConsortiumUnauthorized");
    });

    it("attestation by a suspended validator", async () => {
      const played = await playJudged(world, run);
      await send(world.admin, world.consortium, "setValidatorSuspended", [1, true]);
      await reverts(world, attestAs(validator(0), played), "ConsortiumSuspended");
    });

    it("attestation twice", async () => {
      const played = await playJudged(world, run);
      await attest(world, played, validator(0));
      await reverts(world, attestAs(validator(0), played), "TrainingLedgerAlreadyAttested", { validatorId: 1 });
    });

    it("attestation out of phase", async () => {
      const { round, committed } = await playCommits(world, run);
      await reverts(world, attestAs(validator(0), { round } as PlayedRound), "TrainingLedgerWrongPhase", {
        phase: 2,
        wanted: 3,
      });
      for (const by of world.validators) await verdictBy(by, round, ALL, committed.length);
      const { attestDeadline } = await read(world.ledger, "roundOf", [run, round]);
      await advanceTo(world, attestDeadline);
      await attestAs(validator(0), { round } as PlayedRound);
      await reverts(world, attestAs(validator(1), { round } as PlayedRound), "TrainingLedgerWrongPhase", { phase: 6 });
    });

    it("attestation of a round that has already failed", async () => {
      const played = await playJudged(world, run, { verdicts: [0b11n, 0b11n, 0b11n, 0b11n] });
      await reverts(world, attestAs(validator(0), played), "TrainingLedgerWrongPhase", { phase: 6 });
      assert.equal(await read(world.ledger, "failureOf", [run, played.round]), 2n, "TooFewAccepted");
    });

    it("only ProofOfTraining records attestations and finalisations", async () => {
      const played = await playJudged(world, run);
      await reverts(
        world,
        send(validator(0).account, world.ledger, "recordAttestation", [run, 1, validator(1).wallet.address, word("x")]),
        "TrainingLedgerUnauthorized",
      );
      await reverts(
        world,
        send(world.admin, world.ledger, "recordFinalisation", [played.result, word("x")]),
        "TrainingLedgerUnauthorized",
      );
    });

    it("seal copied from another validator", async () => {
      const played = await playJudged(world, run);
      await attest(world, played, validator(0));
      await attest(world, played, validator(1));
      // Two copies of a seal that is not theirs: four seals in all, two of which open.
      for (const index of [2, 3]) await attestAs(validator(index), played, sealOf(world, played.result, validator(0)));
      await reverts(world, finalise(world, played), "ProofOfTrainingNoQuorum", { agreeing: 2, quorum: 3 });
    });

    it("a seal of an earlier round does not count in a later one", async () => {
      const short = await openRun(world, { attestBlocks: 6 });
      const first = await playRound(world, short);
      const second = await playAttested(world, short, { attesters: world.validators.slice(0, 3) });
      const view = await read(world.ledger, "roundOf", [short, second.round]);
      assert.equal(view.attestedBitmap, 0b111n);
      assert.equal(await read(world.ledger, "sealOf", [short, second.round, 4]), ZeroHash);
      assert.equal(
        await read(world.ledger, "sealOf", [short, second.round, 1]),
        sealOf(world, second.result, validator(0)),
      );
      assert.equal(await read(world.ledger, "sealOf", [short, first.round, 1]), ZeroHash);
      const { logs } = await finalise(world, second);
      const event = logs
        .flatMap((log) => world.proof.interface.parseLog(log) ?? [])
        .find(({ name }) => name === "Finalised");
      assert.equal(event?.args.agreeing, 0b111n);
    });
  });

  describe("finalise", () => {
    it("before attesting closed", async () => {
      const played = await playJudged(world, run);
      for (const index of [0, 1, 2]) await attest(world, played, validator(index));
      await reverts(world, finalise(world, played), "TrainingLedgerWrongPhase", { phase: 3, wanted: 4 });
    });

    it("without q seals", async () => {
      const played = await playAttested(world, run, { attesters: world.validators.slice(0, 2) });
      await reverts(world, finalise(world, played), "TrainingLedgerWrongPhase", { phase: 6, wanted: 4 });
      assert.equal(await read(world.ledger, "failureOf", [run, played.round]), 3n, "NoQuorum");
    });

    it("with q − 1 agreeing seals, whoever the others are that sealed something else", async () => {
      for (const liars of [
        [0, 1],
        [1, 2],
        [2, 3],
        [3, 0],
      ]) {
        const played = await playJudged(world, run);
        for (const index of [0, 1, 2, 3]) {
          const result = liars.includes(index) ? { ...played.result, modelRoot: word("poisoned") } : played.result;
          const { account } = validator(index);
          await send(account, world.proof, "attest", [run, played.round, sealOf(world, result, validator(index))]);
        }
        await reverts(world, finalise(world, played), "ProofOfTrainingNoQuorum", { agreeing: 2, quorum: 3 });
        await skipPhase(world, run, played.round, "finaliseDeadline");
      }
    });

    it("with q of n seals", async () => {
      const played = await playAttested(world, run, { attesters: world.validators.slice(1) });
      await finalise(world, played);
    });

    it("after the deadline", async () => {
      const played = await playAttested(world, run);
      await skipPhase(world, run, played.round, "finaliseDeadline");
      await reverts(world, finalise(world, played), "TrainingLedgerWrongPhase", { phase: 6, wanted: 4 });
      assert.equal(await read(world.ledger, "failureOf", [run, played.round]), 4n, "NotFinalised");
    });

    it("twice", async () => {
      const played = await playRound(world, run);
      await reverts(world, finalise(world, played), "TrainingLedgerWrongPhase", { phase: 5 });
    });

    const altered = async (change: (finalisation: Finalisation) => Partial<Finalisation>, plan = {}) => {
      const played = await playAttested(world, run, plan);
      return { ...played, finalisation: { ...played.finalisation, ...change(played.finalisation) } };
    };
    const swap = <T>(values: readonly T[], index: number, value: T): T[] =>
      values.map((old, i) => (i === index ? value : old));

    const unsealed: Record<string, (finalisation: Finalisation) => Partial<Finalisation>> = {
      "a model root": () => ({ modelRoot: word("another model") }),
      "a CID": () => ({ checkpointCid: word("another cid") }),
      "an update norm": ({ updateNormSq }) => ({ updateNormSq: updateNormSq + 1n }),
      "an L": ({ reportedLoss }) => ({ reportedLoss: reportedLoss - 1 }),
      "a weight": ({ weights }) => ({ weights: swap(weights, 0, (weights[0] as number) - 1) }),
      "a score": ({ scores }) => ({ scores: swap(scores, 4, (scores[4] as number) + 1) }),
      "a negative score": ({ scores }) => ({ scores: swap(scores, 0, -1) }),
      "a kept set": ({ weights, scores }) => ({
        kept: 0b11110n,
        weights: swap(weights, 0, 0),
        scores: swap(scores, 0, 0),
      }),
    };
    for (const [what, change] of Object.entries(unsealed)) {
      it(`with ${what} that q did not seal`, async () => {
        await reverts(world, finalise(world, await altered(change)), "ProofOfTrainingNoQuorum", {
          agreeing: 0,
          quorum: 3,
        });
      });
    }

    it("with a parent that q did not seal", async () => {
      await playRound(world, run);
      const genesis = (await read(world.ledger, "recordOf", [run, 0])).head;
      const played = await playAttested(world, run, { result: { head: genesis } as Partial<RoundResult> });
      await reverts(world, finalise(world, played), "ProofOfTrainingNoQuorum", { agreeing: 0 });
    });

    it("with a beacon, accepted set or extension that q did not seal", async () => {
      for (const result of [{ beacon: word("beacon") }, { accepted: 0b1111n }] as Partial<RoundResult>[]) {
        const fork = await openRun(world);
        const played = await playAttested(world, fork, { result });
        await reverts(world, finalise(world, played), "ProofOfTrainingNoQuorum", { agreeing: 0 });
      }
      const played = await altered(() => ({ extension: word("extension") }));
      await reverts(world, finalise(world, played), "ProofOfTrainingBadExtension");
    });

    const fields: Record<string, unknown> = {
      artifactDigest: word("altered"),
      artifactCid: word("altered"),
      samples: 999,
      lossCommitment: 7n,
      commitIndex: 3,
    };
    for (const [field, value] of Object.entries(fields)) {
      it(`with a participant whose ${field} is not what it committed to`, async () => {
        const played = await altered(({ committed }) => ({
          committed: swap(committed, 0, { ...committed[0], [field]: value }),
        }));
        await reverts(world, finalise(world, played), "ProofOfTrainingCommitMismatch", { memberId: 1 });
      });
    }

    it("with a participant left out, named twice, out of order or invented", async () => {
      const played = await playAttested(world, run);
      const { committed } = played.finalisation;
      const attempt = (list: readonly unknown[]) =>
        finalise(world, { ...played, finalisation: { ...played.finalisation, committed: list as never } });
      await reverts(world, attempt(committed.slice(1)), "ProofOfTrainingCommitCount", { given: 4, commits: 5 });
      await reverts(world, attempt([...committed.slice(0, 4), committed[3]]), "ProofOfTrainingMembersNotAscending");
      await reverts(
        world,
        attempt([committed[1], committed[0], ...committed.slice(2)]),
        "ProofOfTrainingMembersNotAscending",
      );
      await reverts(
        world,
        attempt([...committed.slice(0, 4), { ...committed[4], memberId: 77 }]),
        "ProofOfTrainingCommitMismatch",
        { committed: ZeroHash },
      );
      await finalise(world, played);
    });

    it("with rows and scores that do not fit the accepted set", async () => {
      const played = await playAttested(world, run, { verdicts: [0b01111n, 0b01111n, 0b01111n, 0b11111n] });
      const attempt = (change: Partial<Finalisation>) =>
        finalise(world, { ...played, finalisation: { ...played.finalisation, ...change } });
      const { weights, scores } = played.finalisation;
      await reverts(world, attempt({ scores: [...scores, 0] }), "ProofOfTrainingScoreCount", {
        scores: 5,
        accepted: 4,
      });
      await reverts(world, attempt({ weights: weights.slice(1) }), "ProofOfTrainingWeightCount", {
        weights: 3,
        accepted: 4,
      });
      await reverts(world, attempt({ weights: [] }), "ProofOfTrainingWeightCount");
      await reverts(world, attempt({ kept: ALL }), "ProofOfTrainingBadKept", { kept: ALL, accepted: 0b1111n });
      await reverts(world, attempt({ kept: 0b0111n }), "ProofOfTrainingNotKept", { memberId: 4 });
      await reverts(world, attempt({ kept: 0b0111n, scores: swap(scores, 3, 0) }), "ProofOfTrainingNotKept", {
        memberId: 4,
        weight: weights[3],
      });
      await reverts(world, attempt({ weights: swap(weights, 0, 65_537) }), "ProofOfTrainingColumnSum");
      await reverts(
        world,
        attempt({ weights: swap(weights, 0, (weights[0] as number) + 1) }),
        "ProofOfTrainingColumnSum",
        { group: 0, sum: 65_537 },
      );
      await finalise(world, played);
    });

    it("with a column of several groups above one", async () => {
      const played = await playAttested(world, run, { groups: 3 });
      const weights = swap(played.finalisation.weights, 1, 30_000);
      await reverts(
        world,
        finalise(world, { ...played, finalisation: { ...played.finalisation, weights } }),
        "ProofOfTrainingColumnSum",
        { group: 1 },
      );
      await finalise(world, played);
    });

    it("with a forged proof", async () => {
      const played = await altered(({ proof }) => ({ proof: { ...proof, a: [(proof.a[0] as bigint) + 1n, 0n] } }));
      await reverts(world, finalise(world, played), "ProofOfTrainingBadProof", {
        reportedLoss: played.result.reportedLoss,
      });
    });

    it("with another D than the proof's", async () => {
      const played = await altered(({ bindingDigest }) => ({ bindingDigest: bindingDigest + 1n }));
      await reverts(world, finalise(world, played), "ProofOfTrainingBadProof");
    });

    it("with a replayed proof", async () => {
      const first = await playRound(world, run);
      const played = await altered(() => ({
        proof: first.finalisation.proof,
        bindingDigest: first.finalisation.bindingDigest,
      }));
      await reverts(world, finalise(world, played), "ProofOfTrainingBadProof");
    });

    it("with a foreign proof", async () => {
      const other = await playAttested(world, await openRun(world));
      const played = await altered(() => ({
        proof: other.finalisation.proof,
        bindingDigest: other.finalisation.bindingDigest,
      }));
      await reverts(world, finalise(world, played), "ProofOfTrainingBadProof");
    });

    it("by the wrong caller in a view", async () => {
      const played = await playAttested(world, run);
      const by = (turn: number) => finalise(world, played, proposerOf(world, played.round, turn));
      for (const turn of [1, 2, 3]) await reverts(world, by(turn), "ProofOfTrainingNotInView", { viewNumber: 0 });
      await reverts(world, finalise(world, played, member(1)), "ConsortiumUnauthorized");
      const { attestEnd } = await read(world.ledger, "roundOf", [run, played.round]);
      await advanceTo(world, Number(attestEnd) + 5);
      await reverts(world, by(2), "ProofOfTrainingNotInView", { viewNumber: 1 });
      await by(1);
    });

    it("the proposer of an earlier view may still finalise in a later one", async () => {
      const played = await playAttested(world, run);
      const { attestEnd } = await read(world.ledger, "roundOf", [run, played.round]);
      await advanceTo(world, Number(attestEnd) + 16);
      await finalise(world, played, proposerOf(world, played.round, 0));
    });

    it("by a suspended proposer", async () => {
      const played = await playAttested(world, run);
      const proposer = proposerOf(world, played.round);
      await send(world.admin, world.consortium, "setValidatorSuspended", [proposer.id, true]);
      await reverts(world, finalise(world, played), "ConsortiumSuspended", { id: proposer.id });
    });

    it("of a closing round that keeps, scores, weighs or moves anything", async () => {
      const short = await openRun(world, { rounds: 1, maxOpenings: 4 });
      await playRound(world, short);
      const played = await playAttested(world, short);
      assert.equal((await read(world.ledger, "roundOf", [short, played.round])).closing, true);
      const attempt = (change: Partial<Finalisation>) =>
        finalise(world, { ...played, finalisation: { ...played.finalisation, ...change } });
      const { weights, scores } = played.finalisation;
      await reverts(world, attempt({ kept: 1n }), "ProofOfTrainingBadKept");
      await reverts(world, attempt({ weights: swap(weights, 2, 1) }), "ProofOfTrainingNotKept", { weight: 1 });
      await reverts(world, attempt({ scores: swap(scores, 2, 1) }), "ProofOfTrainingNotKept", { score: 1 });
      await reverts(world, attempt({ modelRoot: word("moved") }), "ProofOfTrainingClosingChangesModel");
      await reverts(world, attempt({ checkpointCid: word("moved") }), "ProofOfTrainingClosingChangesModel");
      await reverts(world, attempt({ updateNormSq: 1n }), "ProofOfTrainingClosingChangesModel", { updateNormSq: 1 });
      await finalise(world, played);
    });
  });
});
