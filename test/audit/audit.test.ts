// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Link } from "../../src/audit/links.ts";
import { ChainUnreachable } from "../../src/chain/errors.ts";
import { fromHex, type Hex, toHex } from "../../src/protocol/bytes.ts";
import { modelRoot } from "../../src/protocol/checkpoint.ts";
import { contentIdOfDigest, digestOfContentId } from "../../src/protocol/contentId.ts";
import type { ContentId, ContentStore } from "../../src/protocol/contentStore.ts";
import { DecodeError } from "../../src/protocol/errors.ts";
import type { FinalisedRecord, LedgerReader } from "../../src/protocol/ledger.ts";
import { decodeRecipe, MAX_RECIPE_BYTES } from "../../src/protocol/recipe.ts";
import { decorate } from "../../src/simulation/decorate.ts";
import { StoreUnreachable } from "../../src/storage/errors.ts";
import { openMemoryStore } from "../../src/storage/memoryStore.ts";
import { type Answer, answering, type Changes, type FinishedRun, finishRun } from "./support.ts";

/** Rounds 1 and 2 move the model; round 3 is the closing round. */
const CLOSING = 3;

/** One thing changed between the evidence and the auditor. */
type Damage = (honest: FinishedRun) => Partial<Changes> | Promise<Partial<Changes>>;

interface Case {
  readonly damage: string;
  readonly round: number | null;
  readonly link: Link;
  readonly apply: Damage;
}

const flipLastBit = (hex: Hex): Hex => {
  const bytes = fromHex(hex).slice();
  flipBit(bytes, bytes.length - 1);
  return toHex(bytes);
};
function flipBit(bytes: Uint8Array, position: number): void {
  bytes[position] = (bytes[position] as number) ^ 1;
}

const replaced = <T>(list: readonly T[], position: number, change: (item: T) => T): T[] =>
  list.map((item, i) => (i === position ? change(item) : item));

/** Answers of one method changed, wherever it is asked. */
const says =
  <M extends keyof LedgerReader>(method: M, change: (answer: Answer<M>) => Answer<M>): Damage =>
  ({ ledger }) => ({ ledger: answering(ledger, method, change) });

/** Answers about one round (or, for standings, one member) changed. */
const saysOf =
  <M extends keyof LedgerReader>(method: M, which: number, change: (answer: Answer<M>) => Answer<M>): Damage =>
  ({ ledger }) => ({ ledger: answering(ledger, method, change, (_run: bigint, asked: number) => asked === which) });

const recordSays = (
  round: number,
  change: (record: FinalisedRecord) => { result?: object; finalisation?: object; head?: Hex },
): Damage =>
  saysOf("finalised", round, (record) => {
    const honest = record as FinalisedRecord;
    const { result, finalisation, ...rest } = change(honest);
    return {
      ...honest,
      ...rest,
      result: { ...honest.result, ...result },
      finalisation: { ...honest.finalisation, ...finalisation },
    };
  });

/** The store answers something else for one object. */
const serves =
  (
    nameOf: (honest: FinishedRun) => Promise<ContentId>,
    get: (store: ContentStore, ...args: Parameters<ContentStore["get"]>) => Promise<Uint8Array>,
  ): Damage =>
  async (honest) => {
    const damaged = await nameOf(honest);
    const { store } = honest;
    return {
      store: decorate(store, {
        // As from a gateway, so that artifacts too come by `get`.
        holds: false,
        get: (cid, options) => (cid === damaged ? get(store, cid, options) : store.get(cid, options)),
      }),
    };
  };

const flipped =
  (position: (length: number) => number = (length) => length >> 1) =>
  async (store: ContentStore, ...args: Parameters<ContentStore["get"]>): Promise<Uint8Array> => {
    const bytes = (await store.get(...args)).slice();
    flipBit(bytes, position(bytes.length));
    return bytes;
  };

const missing = async (_: ContentStore, ...[cid, options]: Parameters<ContentStore["get"]>): Promise<Uint8Array> => {
  const empty = await openMemoryStore();
  try {
    return await empty.get(cid, { ...options, timeoutMs: 20 });
  } finally {
    await empty.close();
  }
};

const recipeOf = async ({ ledger, run }: FinishedRun): Promise<ContentId> =>
  contentIdOfDigest((await ledger.runView(run)).params.recipeCid);
const heldOutOf = async (honest: FinishedRun): Promise<ContentId> => {
  const { recipe } = decodeRecipe(await honest.store.get(await recipeOf(honest), { maxBytes: MAX_RECIPE_BYTES }));
  assert.equal(recipe.scoring.mode, "exact");
  return contentIdOfDigest(recipe.scoring.heldOutCid as Hex);
};
const initialCheckpointOf = async ({ ledger, run }: FinishedRun): Promise<ContentId> =>
  contentIdOfDigest((await ledger.runView(run)).params.initialCheckpointCid);
const artifactOf =
  (round: number) =>
  async ({ ledger, run }: FinishedRun): Promise<ContentId> =>
    contentIdOfDigest((await ledger.commits(run, round))[0]?.commitment.artifactCid as Hex);
const checkpointOf =
  (round: number) =>
  async ({ ledger, run }: FinishedRun): Promise<ContentId> =>
    contentIdOfDigest((await ledger.recordOf(run, round))?.checkpointCid as Hex);

const malformed = (): never => {
  throw new DecodeError("The chain endpoint's answer cannot be decoded.");
};

/** A place in the server optimiser's moments, which come before the model. */
const inState = async ({ ledger, store, run }: FinishedRun): Promise<number> => {
  const id = contentIdOfDigest((await ledger.recordOf(run, 1))?.checkpointCid as Hex);
  const file = await store.get(id, { maxBytes: 1 << 24 });
  return 8 + Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true)) + 1_000;
};
const flippedState = async (
  honest: FinishedRun,
  ...args: Parameters<ContentStore["get"]>
): Promise<{ readonly bytes: Uint8Array; readonly root: Hex; readonly cid: Hex }> => {
  const bytes = (await honest.store.get(...args)).slice();
  flipBit(bytes, await inState(honest));
  return {
    bytes,
    root: toHex(modelRoot(bytes)),
    cid: digestOfContentId(await honest.store.cidOf(bytes)),
  };
};

/** A quorum that agreed on a model with a state of its own: record and store say the same, and only a replay knows better. */
const finalisedWithAnotherState =
  (round: number): Damage =>
  async (honest) => {
    const id = await checkpointOf(round)(honest);
    const { bytes, root, cid } = await flippedState(honest, id, { maxBytes: 1 << 24 });
    const { ledger } = await recordSays(round, () => ({ result: { modelRoot: root, checkpointCid: cid } }))(honest);
    const store = decorate(honest.store, {
      get: (asked, options) =>
        asked === contentIdOfDigest(cid) ? Promise.resolve(bytes) : honest.store.get(asked, options),
    });
    return { ...(ledger === undefined ? {} : { ledger }), store };
  };

/** Without its key the auditor takes L from the record. */
const withoutKey =
  (damage: Damage): Damage =>
  async (honest) => ({ ...(await damage(honest)), key: null });

const CASES: readonly Case[] = [
  ...about(null, "parameters", {
    "ω in the run's parameters": says("runView", (view) => ({
      ...view,
      params: { ...view.params, omegaQ16: view.params.omegaQ16 + 1 },
    })),
    "α when the parameters are asked for again": ({ ledger }) => {
      let asked = 0;
      return {
        ledger: answering(ledger, "runView", (view) =>
          asked++ === 0 ? view : { ...view, params: { ...view.params, alphaQ16: view.params.alphaQ16 - 1 } },
        ),
      };
    },
  }),
  ...about(null, "genesis", {
    "the genesis head": saysOf("recordOf", 0, (record) => record && { ...record, head: flipLastBit(record.head) }),
    "no genesis": saysOf("recordOf", 0, () => undefined),
    "one byte of the initial checkpoint": serves(initialCheckpointOf, flipped()),
  }),
  ...about(null, "recipe", {
    "one byte of the recipe": serves(recipeOf, flipped()),
    "the recipe missing": serves(recipeOf, missing),
  }),
  ...about(null, "heldOut", {
    "one byte of the held-out set": serves(heldOutOf, flipped()),
    "the held-out set missing": serves(heldOutOf, missing),
  }),
  ...about(2, "lineage", {
    "the parent of the round": saysOf("roundView", 2, (view) => ({ ...view, head: flipLastBit(view.head) })),
    "the parent in the record": recordSays(2, ({ result }) => ({ result: { head: flipLastBit(result.head) } })),
    "the record of round 1 given for round 2": ({ ledger, run }) => ({
      ledger: decorate(ledger, {
        finalised: (id, round) => ledger.finalised(id, id === run && round === 2 ? 1 : round),
      }),
    }),
  }),
  ...about(1, "validatorSet", {
    "a validator's encryption key": says("validatorSet", (set) => ({
      ...set,
      validators: replaced(set.validators, 1, (validator) => ({
        ...validator,
        encryptionKey: flipLastBit(validator.encryptionKey),
      })),
    })),
    "a validator left out": says("validatorSet", (set) => ({ ...set, validators: set.validators.slice(0, -1) })),
  }),
  ...about(2, "commitment", {
    "one bit of a signature": saysOf("commits", 2, (commits) =>
      replaced(commits, 0, (commit) => ({ ...commit, signature: flipByte(commit.signature, 40) })),
    ),
    "one sample more": saysOf("commits", 2, (commits) =>
      replaced(commits, 0, (commit) => ({
        ...commit,
        commitment: { ...commit.commitment, samples: commit.commitment.samples + 1 },
      })),
    ),
    "another member's signature": saysOf("commits", 2, (commits) =>
      replaced(commits, 0, (commit) => ({ ...commit, signature: commits[1]?.signature as Hex })),
    ),
    "a commit left out": saysOf("commits", 2, (commits) => commits.slice(0, -1)),
    "all commits left out": saysOf("commits", 2, () => []),
    "two commits in each other's place": saysOf("commits", 2, ([first, second, ...rest]) =>
      [second, first, ...rest].filter((commit) => commit !== undefined),
    ),
    "a member that was not invited": saysOf("isInvited", 2, () => false),
    "a member that was none": saysOf("memberInRound", 2, () => undefined),
  }),
  ...about(2, "verdict", {
    "one reveal": saysOf("verdicts", 2, (verdicts) =>
      replaced(verdicts, 1, (verdict) => ({ ...verdict, reveal: flipLastBit(verdict.reveal) })),
    ),
    "a yes to an update that nobody committed": saysOf("verdicts", 2, (verdicts) =>
      replaced(verdicts, 0, (verdict) => ({
        ...verdict,
        bitmap: verdict.bitmap | (1n << BigInt(verdict.codes.length)),
      })),
    ),
    "one verdict twice": saysOf("verdicts", 2, (verdicts) => replaced(verdicts, 1, () => at(verdicts, 0))),
  }),
  ...about(2, "accepted", {
    "three validators' no to an accepted update": saysOf("verdicts", 2, (verdicts) =>
      verdicts.map((verdict, i) => (i < 3 ? { ...verdict, bitmap: verdict.bitmap ^ 1n } : verdict)),
    ),
    "three validators' no to every update": saysOf("verdicts", 2, (verdicts) =>
      verdicts.map((verdict, i) => (i < 3 ? { ...verdict, bitmap: 0n } : verdict)),
    ),
    "two of four verdicts left out": saysOf("verdicts", 2, (verdicts) => verdicts.slice(0, 2)),
    "the accepted set in the record": recordSays(2, ({ result }) => ({ result: { accepted: result.accepted ^ 1n } })),
  }),
  ...about(1, "beacon", {
    "R_1 in the record": recordSays(1, ({ result }) => ({ result: { beacon: flipLastBit(result.beacon) } })),
    // The first link seen of a chain has nothing before it to be held against; the beacon made of it has.
    "a reveal of the first round": saysOf("verdicts", 1, (verdicts) =>
      replaced(verdicts, 1, (verdict) => ({ ...verdict, reveal: flipLastBit(verdict.reveal) })),
    ),
  }),
  ...about(2, "beacon", {
    "R_1 in the view of round 2": saysOf("roundView", 2, (view) => ({
      ...view,
      beaconBefore: flipLastBit(view.beaconBefore),
    })),
    "one of four verdicts left out": saysOf("verdicts", 2, (verdicts) => verdicts.slice(1)),
  }),
  ...about(2, "artifact", {
    "one byte of an accepted artifact": serves(artifactOf(2), flipped()),
    "an accepted artifact cut short": serves(artifactOf(2), async (store, ...args) =>
      (await store.get(...args)).slice(0, 20),
    ),
    "an accepted artifact missing": serves(artifactOf(2), missing),
  }),
  ...about(CLOSING, "artifact", {
    "one byte of a closing artifact": serves(artifactOf(CLOSING), flipped()),
  }),
  ...about(2, "aggregate", {
    "the kept set": recordSays(2, ({ result }) => ({ result: { kept: result.kept ^ 1n } })),
    "one weight": recordSays(2, ({ finalisation }) => ({
      finalisation: { weights: replaced(finalisation.weights, 0, (weight) => weight + 1) },
    })),
  }),
  ...about(2, "checkpoint", {
    "the model root": recordSays(2, ({ result }) => ({ result: { modelRoot: flipLastBit(result.modelRoot) } })),
    "the checkpoint's name": recordSays(2, ({ result }) => ({
      result: { checkpointCid: flipLastBit(result.checkpointCid) },
    })),
    "the update norm": recordSays(2, ({ result }) => ({ result: { updateNormSq: result.updateNormSq + 1n } })),
    "one byte of the stored checkpoint": serves(checkpointOf(2), flipped()),
    "the stored checkpoint missing": serves(checkpointOf(2), missing),
    "another state of the server optimiser in the last model": finalisedWithAnotherState(2),
  }),
  ...about(1, "checkpoint", {
    "one byte of an earlier stored checkpoint": serves(checkpointOf(1), flipped()),
    "one byte of the server optimiser's state in it": async (honest) => {
      const at = await inState(honest);
      return serves(
        checkpointOf(1),
        flipped(() => at),
      )(honest);
    },
    "another state of the server optimiser, recorded and stored alike": finalisedWithAnotherState(1),
  }),
  ...about(2, "scores", {
    "one score": recordSays(2, ({ finalisation }) => ({
      finalisation: { scores: replaced(finalisation.scores, 0, (score) => score + 1) },
    })),
    "a score left out": recordSays(2, ({ finalisation }) => ({
      finalisation: { scores: finalisation.scores.slice(0, -1) },
    })),
    "the digest of the scores": recordSays(2, ({ result }) => ({
      result: { scoresDigest: flipLastBit(result.scoresDigest) },
    })),
  }),
  ...about(2, "participants", {
    "the participants' root": recordSays(2, ({ result }) => ({
      result: { participantsRoot: flipLastBit(result.participantsRoot) },
    })),
  }),
  ...about(2, "reportedLoss", {
    "L one higher": recordSays(2, ({ result }) => ({ result: { reportedLoss: result.reportedLoss + 1 } })),
  }),
  ...about(CLOSING, "reportedLoss", {
    "L of the closing round one higher": recordSays(CLOSING, ({ result }) => ({
      result: { reportedLoss: result.reportedLoss + 1 },
    })),
  }),
  ...about(2, "attestation", {
    "L one higher, for an auditor without a key": withoutKey(
      recordSays(2, ({ result }) => ({ result: { reportedLoss: result.reportedLoss + 1 } })),
    ),
    "a seal replaced": saysOf("attestations", 2, (seals) =>
      replaced(seals, 0, (record) => ({ ...record, seal: flipLastBit(record.seal) })),
    ),
    "a seal removed": saysOf("attestations", 2, (seals) => seals.slice(1)),
    "another validator's seal copied": saysOf("attestations", 2, (seals) =>
      replaced(seals, 0, (record) => ({ ...record, seal: at(seals, 1).seal })),
    ),
    "one validator's seal twice": saysOf("attestations", 2, (seals) => replaced(seals, 0, () => at(seals, 1))),
    "a validator that agreed said not to": saysOf(
      "finalised",
      2,
      (record) => record && { ...record, agreeing: record.agreeing ^ 1n },
    ),
  }),
  ...about(2, "proof", {
    "one coordinate of the proof": recordSays(2, ({ finalisation: { proof } }) => ({
      finalisation: { proof: { ...proof, a: [proof.a[0] + 1n, proof.a[1]] } },
    })),
    "the proof of round 1": async (honest) => {
      const first = await honest.ledger.finalised(honest.run, 1);
      return recordSays(2, () => ({ finalisation: { proof: first?.finalisation.proof } }))(honest);
    },
    "the binding digest": recordSays(2, ({ finalisation }) => ({
      finalisation: { bindingDigest: finalisation.bindingDigest + 1n },
    })),
  }),
  ...about(1, "head", {
    "the head in the record of round 1": recordSays(1, ({ head }) => ({ head: flipLastBit(head) })),
    "the head that the contract stores": saysOf(
      "recordOf",
      1,
      (record) => record && { ...record, head: flipLastBit(record.head) },
    ),
    "a stored record missing": saysOf("recordOf", 1, () => undefined),
  }),
  ...about(null, "head", {
    "the run's head": says("runView", (view) => ({ ...view, head: flipLastBit(view.head) })),
    "the closing round kept back": says("runView", (view) => ({ ...view, lastRound: CLOSING - 1 })),
  }),
  ...about(null, "reputation", {
    "a reputation": saysOf("standingOf", 2, (standing) => ({
      ...standing,
      reputationQ16: standing.reputationQ16 - 1,
    })),
    "a contribution": saysOf("standingOf", 2, (standing) => ({
      ...standing,
      contribution: standing.contribution + 1n,
    })),
    "a participation": saysOf("standingOf", 2, (standing) => ({
      ...standing,
      participation: standing.participation + 1,
    })),
    "a round said to be voided": says("voidedRounds", () => [1]),
  }),
  ...about(null, "settlement", {
    "one reward": says(
      "settlement",
      (settlement) =>
        settlement && {
          ...settlement,
          rewards: replaced(settlement.rewards, 0, (reward) => ({ ...reward, amount: reward.amount + 1n })),
        },
    ),
    "a reward paid to nobody that took part": says(
      "settlement",
      (settlement) => settlement && { ...settlement, rewards: [...settlement.rewards, { memberId: 99, amount: 1n }] },
    ),
    "one more in the pool": says(
      "settlement",
      (settlement) => settlement && { ...settlement, pool: settlement.pool + 1n },
    ),
    "one less in the pool": says(
      "settlement",
      (settlement) => settlement && { ...settlement, pool: settlement.pool - 1n },
    ),
    "the refund": says("settlement", (settlement) => settlement && { ...settlement, refund: settlement.refund + 1n }),
    "the reward in an account": saysOf("standingOf", 2, (standing) => ({ ...standing, reward: standing.reward + 1n })),
    "the settlement kept back": says("settlement", () => undefined),
  }),
  ...about(2, "records", {
    "the finalised record missing": saysOf("finalised", 2, () => undefined),
    "verdicts that cannot be decoded": saysOf("verdicts", 2, malformed),
    "a view that cannot be decoded": saysOf("roundView", 2, malformed),
    "samples in the record's list of updates": recordSays(2, ({ finalisation }) => ({
      finalisation: {
        committed: replaced(finalisation.committed, 0, (update) => ({ ...update, samples: update.samples + 1 })),
      },
    })),
    "a member in the record's list of updates": recordSays(2, ({ finalisation }) => ({
      finalisation: {
        committed: replaced(finalisation.committed, 0, (update) => ({ ...update, memberId: 99 })),
      },
    })),
  }),
  ...about(null, "records", {
    "voided rounds that cannot be decoded": says("voidedRounds", malformed),
    "a standing that cannot be decoded": says("standingOf", malformed),
  }),
];

function about(round: number | null, link: Link, damages: Readonly<Record<string, Damage>>): Case[] {
  return Object.entries(damages).map(([damage, apply]) => ({ damage, round, link, apply }));
}

function at<T>(list: readonly T[], position: number): T {
  return list[position] as T;
}

function flipByte(hex: Hex, position: number): Hex {
  const bytes = fromHex(hex).slice();
  flipBit(bytes, position);
  return toHex(bytes);
}

describe("audit", () => {
  const resources = new AsyncDisposableStack();
  let honest: FinishedRun;

  before(async () => {
    honest = await finishRun(resources);
  });
  after(() => resources.disposeAsync());

  it("finds nothing false in an honest run", async () => {
    const { head } = await honest.ledger.runView(honest.run);
    const { checks, ...report } = await honest.audit({}, { head });
    assert.deepEqual(report, {
      ok: true,
      run: honest.run.toString(),
      rounds: 2,
      closingRound: true,
      failedRounds: [],
      head,
      headGiven: true,
      roundsWithOpenedLosses: 3,
      scoring: "exact",
      settled: true,
      // The federation has a server optimiser.
      linear: false,
      failures: [],
    });
    assert.ok(checks > 40, `${checks} checks`);
  });

  it("goes without a key: then the quorum and the proof stand for L", async () => {
    const report = await honest.audit({ key: null });
    assert.deepEqual(report.failures, []);
    assert.equal(report.roundsWithOpenedLosses, 0);
  });

  it("replays up to the round that was asked for", async () => {
    const report = await honest.audit({}, { round: 1 });
    assert.deepEqual(report.failures, []);
    assert.equal(report.rounds, 1);
    assert.equal(report.head, (await honest.ledger.recordOf(honest.run, 1))?.head);
  });

  it("names the head when the run does not end in the given one", async () => {
    const { head } = await honest.ledger.runView(honest.run);
    const { ok, failures } = await honest.audit({}, { head: flipLastBit(head) });
    assert.equal(ok, false);
    assert.deepEqual(
      failures.map(({ link }) => link),
      ["head"],
    );
  });

  it("knows the model of each round, and no other", async () => {
    const record = await honest.ledger.recordOf(honest.run, 1);
    const own = record?.modelRoot as Hex;
    assert.deepEqual((await honest.audit({}, { modelRoot: own })).failures, []);
    const { failures } = await honest.audit({}, { modelRoot: flipLastBit(own) });
    assert.deepEqual(
      failures.map(({ round, link }) => ({ round, link })),
      [{ round: null, link: "checkpoint" }],
    );
  });

  it("blames nobody when the store is out of reach", async () => {
    const store = decorate(honest.store, {
      get: () => Promise.reject(new StoreUnreachable("http://127.0.0.1:1", "nobody answers")),
    });
    await assert.rejects(honest.audit({ store }), { code: "STORE_UNREACHABLE" });
  });

  it("blames nobody when the chain is out of reach", async () => {
    const ledger = decorate(honest.ledger, {
      circuitCapacity: () => Promise.reject(new ChainUnreachable("http://127.0.0.1:1", "nobody answers")),
    });
    await assert.rejects(honest.audit({ ledger }), { code: "CHAIN_UNREACHABLE" });
  });

  for (const { damage, round, link, apply } of CASES) {
    it(`${damage}: ${link}${round === null ? "" : ` of round ${round}`}`, async () => {
      const { ok, failures } = await honest.audit(await apply(honest));
      const told = failures.map((failure) => `${failure.round ?? "run"} ${failure.link}: ${failure.detail}`).join("\n");
      assert.equal(ok, false);
      assert.deepEqual({ round: failures[0]?.round, link: failures[0]?.link }, { round, link }, told);
    });
  }
});
