// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { appendFile, readFile, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { openNode } from "../../src/node/openNode.ts";
import { readNodeConfig } from "../../src/node/options.ts";
import { epsilonOfCharges, federationName } from "../../src/privacy/charge.ts";
import { entryDigest } from "../../src/privacy/ledgerEntry.ts";
import { readLedger } from "../../src/privacy/readLedger.ts";
import { roundCharge } from "../../src/privacy/roundCharge.ts";
import { contentIdOfDigest } from "../../src/protocol/contentId.ts";
import type { CommitRecord } from "../../src/protocol/ledger.ts";
import { type Logger, SILENT } from "../../src/protocol/logger.ts";
import { MAX_RECIPE_BYTES } from "../../src/protocol/recipe.ts";
import { decodeArtifact } from "../../src/update/artifact.ts";
import { decodePayload } from "../../src/update/payload.ts";
import { type FinishedRun, finishRun } from "../audit/support.ts";
import { foedus } from "../cli/support.ts";

const PRIVACY = {
  mode: "local",
  clipNorm: 0.05,
  noiseMultiplier: 5,
  budget: { epsilon: 20, delta: 1e-5 },
  loss: { clip: 4, noiseMultiplier: 5 },
  pipeline: { name: "P2", errorFeedback: false },
} as const;
const CODEC = { name: "int16", blockSize: 128 } as const;
/** The member that may spend enough for one round and not for two. */
const POOR = 5;

const chargeOf = (round: number) =>
  roundCharge(PRIVACY, {
    federation: "any",
    run: 1n,
    round,
    cohort: 5,
    samples: 1,
    batchSize: 1,
    localSteps: 1,
    sampling: { kind: "everybody", rate: 1, published: true },
  });

/** Five members with local noise on a chain; one has spent what it may after the first of two rounds. */
describe("a whole private run on a chain", () => {
  const resources = new AsyncDisposableStack();
  let finished: FinishedRun;
  let leftOut: string[];
  const commitsOf = (round: number): Promise<readonly CommitRecord[]> => finished.ledger.commits(finished.run, round);
  const ledgerOf = (member: number): string =>
    join(finished.memberFolders[member - 1] as string, "state", "privacy", "ledger.jsonl");

  before(async () => {
    leftOut = [];
    const logger: Logger = { ...SILENT, error: (fields) => void leftOut.push(String(fields["error"])) };
    const [one, two] = [1, 2].map((rounds) => {
      const charges = Array.from({ length: rounds }, (_, i) => chargeOf(i + 1));
      return epsilonOfCharges(charges, chargeOf(1), PRIVACY.budget.delta).epsilon;
    }) as [number, number];
    finished = await finishRun(
      resources,
      {
        commitBlocks: 150,
        recipe: {
          privacy: PRIVACY,
          update: { codec: CODEC, maxCoordinate: 16 * 2 ** 18, maxNormSq: String(2 ** 50) },
          aggregation: { rule: "uniform-mean" },
        },
      },
      async ({ files }) => {
        const poor = files.members[POOR - 1]?.configFile as string;
        await appendFile(poor, `privacy: { maxEpsilon: ${0.9 * one + 0.1 * two} }\n`);
        return logger;
      },
    );
  });
  after(() => resources.disposeAsync());

  it("goes on without the member whose budget is spent, and that member stays to the end", async () => {
    const { lastRound, finalisedRounds, ended } = await finished.ledger.runView(finished.run);
    assert.deepEqual([lastRound, finalisedRounds, ended], [3, 2, true]);
    const members = await Promise.all(
      [1, 2, 3].map(async (round) => (await commitsOf(round)).map(({ commitment }) => commitment.memberId).sort()),
    );
    assert.deepEqual(members, [
      [1, 2, 3, 4, 5],
      [1, 2, 3, 4],
      [1, 2, 3, 4],
    ]);
    assert.ok(leftOut.length >= 2);
    for (const error of leftOut) assert.match(error, /would take the client-level privacy loss .* the budget is/);
    const standing = await finished.ledger.standingOf(finished.run, POOR);
    assert.equal(standing.claimed, standing.reward > 0n);
  });

  it("every commit names the entry of its member's ledger that paid for it", async () => {
    for (const member of [1, POOR]) {
      const entries = await readLedger(ledgerOf(member));
      assert.equal(entries.length, member === POOR ? 1 : 3);
      for (const entry of entries) {
        const commit = (await commitsOf(entry.round)).find(({ commitment }) => commitment.memberId === member);
        const id = contentIdOfDigest(commit?.commitment.artifactCid as `0x${string}`);
        const artifact = decodeArtifact(await finished.store.get(id, { maxBytes: MAX_RECIPE_BYTES }));
        assert.equal(artifact.ledgerEntry, entryDigest(entry));
        assert.equal(entry.federation, federationName(31_337n, finished.ledger.addresses.trainingLedger));
        assert.deepEqual(
          entry.releases,
          artifact.kind === "closing" ? chargeOf(1).releases.slice(1) : chargeOf(1).releases,
        );
      }
    }
  });

  it("what was sent is noise of the size that the ledger says", async () => {
    const [entry] = await readLedger(ledgerOf(1));
    for (const { commitment } of await commitsOf(1)) {
      const id = contentIdOfDigest(commitment.artifactCid);
      const { payload } = decodeArtifact(await finished.store.get(id, { maxBytes: MAX_RECIPE_BYTES }));
      const { values } = decodePayload(payload, CODEC, 2_410);
      const sigma = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length) / 2 ** 18;
      assert.ok(Math.abs(sigma / (entry?.sigma as number) - 1) < 0.1, `σ = ${sigma}`);
    }
  });

  it("is found in order by an audit, losses within the clip", async () => {
    const { ok, failures } = await finished.audit();
    assert.ok(ok, JSON.stringify(failures));
    for (const round of [1, 2, 3]) {
      const record = await finished.ledger.finalised(finished.run, round);
      assert.ok((record?.result.reportedLoss as number) <= PRIVACY.loss.clip * 65_536);
    }
  });

  it("foedus node privacy shows what was spent", async () => {
    const config = join(finished.memberFolders[0] as string, "node.yaml");
    const { code, stdout, stderr } = await foedus(["node", "privacy", "--config", config, "--json"]);
    assert.equal(code, 0, stderr);
    const { entries, head, spending } = JSON.parse(stdout) as { entries: number; head: string; spending: object[] };
    const own = await readLedger(ledgerOf(1));
    const last = own.at(-1);
    assert.ok(last !== undefined);
    assert.deepEqual([entries, head], [3, entryDigest(last)]);
    assert.equal(spending.length, 1);
    const [{ epsilon, rounds, budget }] = spending as [{ epsilon: number; rounds: number; budget: number }];
    assert.deepEqual([epsilon, rounds, budget], [last.epsilon, 3, 20]);
    const table = await foedus(["node", "privacy", "--config", config]);
    assert.match(table.stdout, /all data +replace-one/);
    assert.match(table.stdout, /round 3 of run 1, 31337:0x/);
  });

  it("a node that lost its ledger does not start; with the backup it does", async () => {
    const config = await readNodeConfig(join(finished.memberFolders[1] as string, "node.yaml"));
    const open = () => openNode(config, { logger: SILENT, signal: new AbortController().signal });
    await rename(ledgerOf(2), `${ledgerOf(2)}.backup`);
    await assert.rejects(open(), { code: "PRIVACY_LEDGER_LOST", message: /3 updates .*round 1 of run 1/ });
    await rename(`${ledgerOf(2)}.backup`, ledgerOf(2));
    await (await open()).close();
    assert.equal((await stat(join(ledgerOf(2), "..", "noise.key"))).mode & 0o777, 0o600);
    assert.equal((await readFile(join(ledgerOf(2), "..", "noise.key"))).length, 32);
  });
});

/** DP-SGD at every member: each step's gradients are clipped one by one, and the noise is in the training. */
describe("a whole run with private records on a chain", () => {
  const resources = new AsyncDisposableStack();
  after(() => resources.disposeAsync());

  it("finalises its round, audits, and books q = B/n for every step", async () => {
    const { noiseMultiplier, budget, loss } = PRIVACY;
    const finished = await finishRun(resources, {
      rounds: 1,
      recipe: {
        privacy: { mode: "record", clipNorm: 1, noiseMultiplier, budget, loss },
        training: { localSteps: 5, batchSize: 20, learningRate: 0.1, momentum: 0 },
        aggregation: { rule: "uniform-mean" },
      },
    });
    assert.equal((await finished.ledger.runView(finished.run)).finalisedRounds, 1);
    const { ok, failures } = await finished.audit();
    assert.ok(ok, JSON.stringify(failures));
    const commits = await finished.ledger.commits(finished.run, 1);
    assert.equal(commits.length, 5);
    for (const { commitment } of commits) {
      const folder = finished.memberFolders[commitment.memberId - 1] as string;
      const [entry] = await readLedger(join(folder, "state", "privacy", "ledger.jsonl"));
      const samplingRate = 20 / commitment.samples;
      assert.deepEqual(entry?.releases[0], { what: "update", samplingRate, noiseMultiplier, steps: 5 });
      assert.deepEqual([entry?.unit, entry?.relation], ["record", "add-remove"]);
    }
  });
});
