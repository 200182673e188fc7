// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, stat, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { LedgerRevert } from "../../src/chain/errors.ts";
import { LearningError } from "../../src/learning/errors.ts";
import type { TrainingTask } from "../../src/node/clientAlgorithm.ts";
import { type MemberPrivacy, openMemberPrivacy } from "../../src/node/memberPrivacy.ts";
import type { NodeContext } from "../../src/node/nodeContext.ts";
import { prepareUpdateOnce } from "../../src/node/round/prepareUpdateOnce.ts";
import { entryDigest, parseLedger } from "../../src/privacy/ledgerEntry.ts";
import type { ContentStore } from "../../src/protocol/contentStore.ts";
import type { CommitRecord, LedgerReader, RunView } from "../../src/protocol/ledger.ts";
import { SILENT } from "../../src/protocol/logger.ts";
import type { Recipe } from "../../src/protocol/recipe.ts";
import { MemoryNetwork, openMemoryStore } from "../../src/storage/memoryStore.ts";
import { decodeArtifact } from "../../src/update/artifact.ts";
import { decodePayload } from "../../src/update/payload.ts";
import { verifyArtifact } from "../../src/update/verifyArtifact.ts";
import { judgedBy, OUTCOME, openMember } from "../support/member.ts";
import { ScriptedChain } from "../support/scriptedChain.ts";

const LOCAL = {
  mode: "local",
  clipNorm: 0.01,
  noiseMultiplier: 2,
  budget: { epsilon: 7, delta: 1e-5 },
  loss: { clip: 1, noiseMultiplier: 2 },
  pipeline: { name: "P2", errorFeedback: false },
} as const;
const { pipeline: _, ...common } = LOCAL;
const RECORD = { ...common, mode: "record" } as const;

describe("a node in a private run", () => {
  let resources: AsyncDisposableStack;
  let folder: string;
  let store: ContentStore;
  let chain: ScriptedChain;
  beforeEach(async () => {
    resources = new AsyncDisposableStack();
    folder = await mkdtemp(join(tmpdir(), "foedus-private-"));
    resources.defer(() => rm(folder, { recursive: true, force: true }));
    store = await openMemoryStore(new MemoryNetwork());
    chain = new ScriptedChain(7);
  });
  afterEach(() => resources.disposeAsync());

  const ledgerFile = (): string => join(folder, "privacy", "ledger.jsonl");
  const entries = async () => parseLedger(await readFile(ledgerFile(), "utf8")).entries;

  /** The node, with what its files say; `use` is one life of it. */
  async function withNode<T>(
    use: (node: NodeContext & { readonly privacy: MemberPrivacy }, trained: TrainingTask[]) => Promise<T>,
    options: {
      privacy?: object;
      recipe?: Partial<Recipe>;
      config?: object;
      pendingRounds?: number[];
      calls?: Partial<LedgerReader>;
    } = {},
  ): Promise<T> {
    await using life = new AsyncDisposableStack();
    const runView = async (run: bigint): Promise<RunView> => {
      if (run === 1n) return { run, lastRound: chain.round, settled: false, ...chain.run } as RunView;
      throw new LedgerRevert({ call: "runOf", error: "TrainingLedgerUnknownRun", args: {}, data: "0x" });
    };
    const member = await openMember(chain, store, life, { calls: { runView, ...options.calls } });
    const recipe = {
      ...member.recipe,
      model: { kind: "logistic", inputs: 4, classes: 2 },
      training: { localSteps: 5, batchSize: 10, learningRate: 0.1, momentum: 0 },
      aggregation: { rule: "uniform-mean" },
      privacy: options.privacy ?? LOCAL,
      ...options.recipe,
    } as unknown as Recipe;
    const run = { ...member, recipe, params: { ...member.params, cohort: 1_024, capacity: 8 } };
    const privacy = await openMemberPrivacy(
      { state: folder, privacy: options.config ?? {} },
      {
        run,
        ledger: member.ledger,
        store,
        memberId: member.memberId,
        samples: 100,
        pendingRounds: options.pendingRounds ?? [],
        logger: SILENT,
        signal: member.signal,
      },
      life,
    );
    assert.ok(privacy !== undefined);
    const trained: TrainingTask[] = [];
    const algorithm = {
      evaluate: async () => OUTCOME,
      train: async (task: TrainingTask) => {
        // The charge is on disk before the data is read.
        assert.equal((await entries()).at(-1)?.round, task.round);
        trained.push(task);
        return OUTCOME;
      },
    };
    return await use({ ...run, algorithm, privacy }, trained);
  }

  it("books the round first, clips and adds noise, reports a noisy loss, and names the entry; once for all", async () => {
    const prepared = await withNode(async (node, trained) => {
      const prepared = await prepareUpdateOnce(node, chain.view());
      assert.ok(prepared !== undefined);
      assert.deepEqual(await prepareUpdateOnce(node, chain.view()), prepared);
      assert.equal(trained.length, 1);
      return prepared;
    });
    const [entry, ...more] = await entries();
    assert.ok(entry !== undefined && more.length === 0);
    assert.deepEqual([entry.run, entry.round, entry.unit, entry.sigma], ["1", 7, "client", 0.04]);
    const artifact = decodeArtifact(prepared.artifact);
    assert.equal(artifact.ledgerEntry, entryDigest(entry));
    for (const isPrivate of [true, false]) {
      const verdict = await verifyArtifact(prepared.artifact, prepared.commitment, {
        ...judgedBy(0),
        private: isPrivate,
      });
      assert.equal("kind" in verdict, isPrivate);
    }
    // Without noise the loss is 1.5, above the clip of 1.
    assert.ok(prepared.loss <= 65_536);
    assert.notEqual(prepared.loss, 98_304);
    // The delta of 0.1 everywhere is clipped to norm 0.01; what is left is noise with σ = 0.04.
    const values = decodePayload(artifact.payload, { name: "int16", blockSize: 5 }, 16).values;
    const spread = Math.hypot(...values.subarray(0, 10)) / 2 ** 18 / Math.sqrt(10);
    assert.ok(spread > 0.01 && spread < 0.09, `${spread}`);

    // The same disk in another life, where the update was not saved: the same bytes of noise, and no second charge.
    await withNode(async (node) => {
      const again = await prepareUpdateOnce(node, chain.view());
      assert.ok(again !== undefined);
      assert.equal(again.loss, prepared.loss);
      assert.deepEqual(decodeArtifact(again.artifact).payload, artifact.payload);
      assert.equal(decodeArtifact(again.artifact).ledgerEntry, artifact.ledgerEntry);
    });
    assert.equal((await entries()).length, 1);
    assert.equal((await stat(join(folder, "privacy", "noise.key"))).mode & 0o777, 0o600);
    assert.equal((await stat(ledgerFile())).mode & 0o777, 0o600);
  });

  it("BUDGET_SPENT: neither reads its data nor prepares anything, with the numbers", async () => {
    await withNode(async (node, trained) => {
      for (const round of [1, 2, 3]) await node.privacy.charge(round, false);
      await assert.rejects(
        prepareUpdateOnce(node, chain.view()),
        ({ code, values }: { code: string; values: object }) => {
          assert.equal(code, "BUDGET_SPENT");
          const { spent, wanted, budget } = values as { spent: number; wanted: number; budget: number };
          assert.ok(spent <= budget && budget === 7 && wanted > budget);
          return true;
        },
      );
      assert.equal(trained.length, 0);
      assert.equal(await node.state.prepared(7), undefined);
      const [{ rounds, roundsLeft } = { rounds: 0, roundsLeft: 1 }] = node.privacy.spending();
      assert.deepEqual([rounds, roundsLeft], [3, 0]);
    });
  });

  it("spends no more than the member allows, where that is less than the run's budget", async () => {
    await withNode(
      async (node) => {
        await node.privacy.charge(1, false);
        await assert.rejects(node.privacy.charge(2, false), { code: "BUDGET_SPENT" });
      },
      { config: { maxEpsilon: 4 } },
    );
    await withNode((node) => node.privacy.charge(2, false), { config: { maxEpsilon: 1_000 } });
    const [first, second] = await entries();
    assert.deepEqual([first?.budget, second?.budget], [4, 7]);
  });

  it("a closing round reports a noisy loss and books it alone", async () => {
    await withNode(async (node, trained) => {
      const prepared = await prepareUpdateOnce(node, { ...chain.view(), closing: true });
      assert.ok(prepared !== undefined && prepared.loss <= 65_536);
      assert.equal(trained.length, 0);
    });
    assert.deepEqual(
      (await entries()).map(({ releases }) => releases.map(({ what }) => what)),
      [["loss"]],
    );
  });

  it("training that diverges is not seen: the update is noise", async () => {
    await withNode(async (node) => {
      const diverged = [
        async () => Promise.reject(new LearningError("DIVERGED", "the loss is no longer finite")),
        async () => ({ ...OUTCOME, delta: new Float32Array(16).fill(Number.NaN) }),
      ];
      for (const [i, train] of diverged.entries()) {
        const round = { ...chain.view(), round: 8 + i };
        const prepared = await prepareUpdateOnce({ ...node, algorithm: { ...node.algorithm, train } }, round);
        assert.ok(prepared !== undefined);
        const { payload } = decodeArtifact(prepared.artifact);
        assert.ok(decodePayload(payload, { name: "int16", blockSize: 5 }, 16).values.some((value) => value !== 0));
      }
      const broken = async () => Promise.reject(new Error("out of memory"));
      const algorithm = { ...node.algorithm, train: broken };
      await assert.rejects(prepareUpdateOnce({ ...node, algorithm }, chain.view()), /out of memory/);
    });
  });

  it("records: training itself is private, and the update carries no further noise", async () => {
    await withNode(
      async (node) => {
        assert.equal(node.privacy.noise(7), undefined);
        assert.equal(node.privacy.records?.clipNorm, 0.01);
        const words = (round: number): number => node.privacy.records?.words(round).nextUint32() ?? 0;
        assert.equal(words(1), words(1));
        assert.notEqual(words(1), words(2));
        await prepareUpdateOnce(node, chain.view());
      },
      { privacy: RECORD },
    );
    const [entry] = await entries();
    assert.deepEqual(entry?.releases[0], { what: "update", samplingRate: 0.1, noiseMultiplier: 2, steps: 5 });
  });

  const commitOf = (memberId: number, round: number): CommitRecord =>
    ({ commitment: { memberId, round } }) as CommitRecord;

  it("PRIVACY_LEDGER_LOST: does not start when chain or disk know of rounds that the ledger does not", async () => {
    const commits: LedgerReader["commits"] = async (_run, round) => [commitOf(3, round), commitOf(5, round)];
    const start = (options: object = {}) => withNode(async () => {}, { calls: { commits }, ...options });
    await withNode(async ({ privacy }) => {
      for (const round of [1, 2]) await privacy.charge(round, false);
    });
    chain = new ScriptedChain(2);
    await start();
    chain = new ScriptedChain(4);
    await assert.rejects(start(), { code: "PRIVACY_LEDGER_LOST", message: /2 updates .*round 3 of run 1/ });
    // Rounds of others are nobody's loss.
    await start({ calls: { commits: async (_run: bigint, round: number) => [commitOf(3, round)] } });
    await assert.rejects(start({ calls: { commits: async () => [] }, pendingRounds: [2, 3] }), {
      code: "PRIVACY_LEDGER_LOST",
      message: /1 updates .*round 3 of run 1/,
    });
    chain = new ScriptedChain(2);
    await unlink(ledgerFile());
    await assert.rejects(start(), { code: "PRIVACY_LEDGER_LOST", message: /2 updates .*round 1 of run 1/ });
    await writeFile(ledgerFile(), "{}\n");
    await assert.rejects(start(), { code: "PRIVACY_LEDGER_DAMAGED" });
  });

  it("another run with unknown commits: refuses unless its recipe, or the operator, says that it was public", async () => {
    chain = new ScriptedChain(1);
    const calls: Partial<LedgerReader> = {
      async runView(run) {
        if (run <= 2n)
          return { run, lastRound: 1, settled: false, ...chain.run, params: { recipeCid: "0x" } } as unknown as RunView;
        throw new LedgerRevert({ call: "runOf", error: "TrainingLedgerUnknownRun", args: {}, data: "0x" });
      },
      commits: async (run) => (run === 2n ? [commitOf(5, 1)] : []),
    };
    await assert.rejects(
      withNode(async () => {}, { calls }),
      {
        code: "BAD_CONFIG",
        message: /Run 2 .*write its number into privacy\.publicRuns/,
      },
    );
    await withNode(async () => {}, { calls, config: { publicRuns: [2n] } });
  });

  it("two nodes of one member cannot have its ledger at a time, whatever their state folders", async () => {
    await withNode(async ({ privacy }) => {
      await privacy.charge(1, false);
    });
    // Process 1 is always there.
    await writeFile(join(folder, "privacy", "lock"), "1");
    await assert.rejects(
      withNode(async () => {}),
      { code: "BAD_CONFIG", message: /one privacy ledger for all its runs/ },
    );
  });

  it("warns a member with a ledger that a run without privacy stands in none", async () => {
    const warnings: string[] = [];
    const logger = { ...SILENT, warn: (_fields: object, message: string) => void warnings.push(message) };
    const open = async () => {
      const member = await openMember(chain, store, resources);
      const run = { ...member, recipe: { ...member.recipe, privacy: { mode: "none" } } } as unknown as NodeContext;
      const { ledger, memberId, signal } = member;
      const surroundings = { run, ledger, store, memberId, samples: 1, pendingRounds: [], logger, signal };
      return openMemberPrivacy({ state: folder, privacy: {} }, surroundings, resources);
    };
    assert.equal(await open(), undefined);
    assert.deepEqual(warnings, []);
    await withNode(({ privacy }) => privacy.charge(1, false));
    assert.equal(await open(), undefined);
    assert.match(warnings.join(), /stands in no privacy ledger/);
  });

  for (const [name, options, message] of [
    [
      "central noise",
      { privacy: { ...common, mode: "central", errorFeedback: false } },
      /every validator and auditor repeats this run's aggregation/,
    ],
    [
      "distributed noise",
      { privacy: { ...common, mode: "distributed", errorFeedback: false, colluders: 0 } },
      /here single updates are seen/,
    ],
    ["weights by samples", { recipe: { aggregation: { rule: "weighted-mean" } } }, /weighs updates by sample counts/],
    [
      "records with another client algorithm",
      { privacy: RECORD, recipe: { client: { name: "fedprox", mu: 0.1 } } },
      /FedAvg with DP-SGD/,
    ],
  ] as const) {
    it(`takes no part in a run with ${name}`, async () => {
      await assert.rejects(
        withNode(async () => {}, options as object),
        { code: "BAD_CONFIG", message },
      );
    });
  }
});
