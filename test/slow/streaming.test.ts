// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { promisify } from "node:util";
import { toHex } from "../../src/protocol/bytes.ts";
import { encodeCheckpoint, modelRoot } from "../../src/protocol/checkpoint.ts";
import { chunkRoot } from "../../src/protocol/chunkRoot.ts";
import { digestOfContentId } from "../../src/protocol/contentId.ts";
import type { CodecConfig } from "../../src/protocol/recipe/codecConfig.ts";
import { encodeArtifact } from "../../src/update/artifact.ts";
import { encodePayload } from "../../src/update/payload.ts";
import { sealContext } from "../../src/update/sealOpening.ts";
import { openFolderStore } from "../support/folderStore.ts";
import { PLACE, partsWith, sealFor } from "../update/fixtures.ts";
import { layoutOf, masterOf, type StreamingCase, type StreamingReport } from "./streamingCase.ts";

const CHILD = new URL("./streamingChild.ts", import.meta.url).pathname;
/** Different payloads of a cohort; several members sign the same values, and each its own artifact. */
const PAYLOADS = 5;
const SCALE = 90;

/** The payload of the k-th of `count` members: some are more frequent than others. */
const payloadOf = (k: number, count: number): number => Math.floor((PAYLOADS * k * k) / (count * count));
const samplesOf = (k: number): number => 500 + ((k * 37) % 101);

/**
 * Values that the codec holds exactly: whole multiples of a scale that each block's first value fixes; in a sparse one exactly `keep` are not 0.
 */
function valuesOf(payload: number, size: number, codec: CodecConfig): Int32Array {
  const most = codec.name.endsWith("int8") ? 127 : 32_767;
  const kept = "keep" in codec ? codec.keep : size;
  const blockSize = "blockSize" in codec ? codec.blockSize : 1;
  const stride = Math.floor(size / kept);
  const values = new Int32Array(size);
  let state = 0x2545f491 + payload;
  for (let i = 0; i < kept; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    const place = i * stride + ((state >>> 8) % stride);
    // The sum of two is likelier near 0, as in a trained update, so that inflating is real work.
    const level = (((state & 0xffff) % most) + ((state >>> 16) % most)) / 2 - most / 2;
    values[place] = SCALE * (i % blockSize === 0 ? most : Math.trunc(level) || 1);
  }
  return values;
}

/** Largest remainder of 2^16 · share, ties to the first: λ in plain numbers. */
function weightsOf(shares: readonly number[]): number[] {
  const total = shares.reduce((sum, share) => sum + share, 0);
  const weights = shares.map((share) => Math.floor((65_536 * share) / total));
  const rest = 65_536 - weights.reduce((sum, weight) => sum + weight, 0);
  const byRemainder = shares
    .map((share, k) => ({ k, remainder: (65_536 * share) % total }))
    .sort((a, b) => b.remainder - a.remainder || a.k - b.k);
  for (const { k } of byRemainder.slice(0, rest)) weights[k] = (weights[k] as number) + 1;
  return weights;
}

/** Σ λ_k q_k,j from the few different payloads. */
function weightedSum(payloads: readonly Int32Array[], weights: readonly number[]): (j: number) => number {
  const perPayload = payloads.map((_, p) =>
    weights.reduce((sum, weight, k) => sum + (payloadOf(k, weights.length) === p ? weight : 0), 0),
  );
  return (j) => payloads.reduce((sum, values, p) => sum + (perPayload[p] as number) * (values[j] as number), 0);
}

/** 2^16 times the mean of the two middle values, or the middle one, of K of which few are different. */
function median(payloads: readonly Int32Array[], count: number): (j: number) => number {
  const copies = payloads.map((_, p) =>
    Array.from({ length: count }, (_, k) => k).filter((k) => payloadOf(k, count) === p),
  );
  const order = payloads.map((_, p) => p);
  return (j) => {
    const at = (p: number): number => (payloads[p] as Int32Array)[j] as number;
    order.sort((a, b) => at(a) - at(b));
    const place = (rank: number): number => {
      let below = 0;
      for (const p of order) {
        below += (copies[p] as number[]).length;
        if (rank < below) return at(p);
      }
      throw new RangeError(`There is no value of rank ${rank}.`);
    };
    return 32_768 * (place((count - 1) >> 1) + place(count >> 1));
  };
}

/** Multi-Krum's choice among K updates of which few are different; distances in plain numbers, exact below 2^53. */
function multiKrum(payloads: readonly Int32Array[], count: number, byzantine: number): boolean[] {
  const distances = payloads.map((a) =>
    payloads.map((b) => {
      let sum = 0;
      for (let j = 0; j < a.length; j++) {
        const apart = ((a[j] as number) - (b[j] as number)) / SCALE;
        sum += apart * apart;
      }
      assert.ok(Number.isSafeInteger(sum));
      return sum;
    }),
  );
  const members = Array.from({ length: count }, (_, k) => k);
  const scores = members.map((i) =>
    members
      .filter((k) => k !== i)
      .map((k) => distances[payloadOf(i, count)]?.[payloadOf(k, count)] as number)
      .sort((a, b) => a - b)
      .slice(0, count - byzantine - 2)
      .reduce((sum, distance) => sum + distance, 0),
  );
  const chosen = [...members]
    .sort((a, b) => (scores[a] as number) - (scores[b] as number) || a - b)
    .slice(0, count - byzantine);
  return members.map((k) => chosen.includes(k));
}

interface Prepared {
  readonly round: StreamingCase;
  readonly payloads: readonly Int32Array[];
  readonly report: StreamingReport;
}

/** Puts the cohort's artifacts into a store on disk and lets another process be the validator. */
async function validate(t: TestContext, count: number, round: Omit<StreamingCase, "commits">): Promise<Prepared> {
  const folder = await mkdtemp(join(tmpdir(), "foedus-streaming-"));
  try {
    const began = performance.now();
    const { size, codec } = round;
    const payloads = Array.from({ length: PAYLOADS }, (_, p) => valuesOf(p, size, codec));
    const encoded = payloads.map((values) => encodePayload(values, codec));
    const store = await openFolderStore(join(folder, "store"));
    const commits: StreamingCase["commits"][number][] = [];
    let bytes = 0;
    for (let k = 0; k < count; k++) {
      const memberId = k + 1;
      const artifact = encodeArtifact(
        partsWith({
          memberId,
          samples: samplesOf(k),
          codec: codec.name,
          layoutDigest: toHex(layoutOf(size).digest),
          seal: sealFor({ context: sealContext({ ...PLACE, memberId }) }),
          payload: encoded[payloadOf(k, count)] as Uint8Array,
        }),
      );
      bytes += artifact.length;
      commits.push({
        memberId,
        samples: samplesOf(k),
        artifactDigest: toHex(chunkRoot(artifact)),
        artifactCid: digestOfContentId(await store.put(artifact)),
      });
    }
    await store.close();
    const casePath = join(folder, "case.json");
    const whole: StreamingCase = { ...round, commits };
    await writeFile(casePath, JSON.stringify(whole));
    const prepared = performance.now();
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [CHILD, casePath, join(folder, "store")]);
    assert.equal(stderr, "");
    const report = JSON.parse(stdout) as StreamingReport;
    const { fetchSeconds, verifySeconds, results, peakMiB } = report;
    t.diagnostic(
      `${Math.round(bytes / 1_048_576)} MiB of artifacts, put in ${Math.round(prepared - began) / 1_000} s; fetched in ${fetchSeconds} s, ` +
        `verified in ${verifySeconds} s; ${results.map(({ rule, seconds }) => `${rule} in ${seconds} s`).join(", ")}; ` +
        `peak RSS ${peakMiB.done} MiB (started ${peakMiB.started}, fetched ${peakMiB.fetched}, verified ${peakMiB.verified})`,
    );
    return { round: whole, payloads, report };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The root of the head's model moved by `movement`, coordinate by coordinate. */
function rootOf(size: number, movement: (j: number) => number): string {
  const master = masterOf(size).map((m, j) => m + movement(j));
  return toHex(modelRoot(encodeCheckpoint({ master, state: {} }, { layout: layoutOf(size), recipe: {} })));
}

describe("a round of which memory holds a part, from the store on disk to the model root", () => {
  it("100 updates of 10 million coordinates within 1 GiB: weighted mean and coordinate median", async (t) => {
    const count = 100;
    const { round, payloads, report } = await validate(t, count, {
      size: 10_000_000,
      codec: { name: "int8", blockSize: 4_096 },
      rules: [{ rule: "weighted-mean" }, { rule: "coordinate-median" }],
    });
    const samples = round.commits.map((commit) => commit.samples);
    const [mean, middle] = report.results;
    assert.equal(mean?.modelRoot, rootOf(round.size, weightedSum(payloads, weightsOf(samples))));
    assert.equal(middle?.modelRoot, rootOf(round.size, median(payloads, count)));
    assert.ok(mean.reports > 1, "progress is reported on the way");
    assert.ok(report.peakMiB.done < 1_024, `${report.peakMiB.done} MiB`);
  });

  it("1 000 updates of a million coordinates", async (t) => {
    const { round, payloads, report } = await validate(t, 1_000, {
      size: 1_000_000,
      codec: { name: "int8", blockSize: 1_024 },
      rules: [{ rule: "weighted-mean" }],
    });
    const samples = round.commits.map((commit) => commit.samples);
    assert.equal(report.results[0]?.modelRoot, rootOf(round.size, weightedSum(payloads, weightsOf(samples))));
  });

  it("100 sparse updates by their distances: two passes", async (t) => {
    const count = 100;
    const byzantine = 20;
    const { round, payloads, report } = await validate(t, count, {
      size: 1_000_000,
      codec: { name: "topk-int16", blockSize: 1_024, keep: 100_000 },
      rules: [{ rule: "multi-krum", parameters: { byzantine } }],
    });
    const [result] = report.results;
    const kept = multiKrum(payloads, count, byzantine);
    assert.deepEqual(
      result?.kept,
      round.commits.filter((_, k) => kept[k]).map(({ memberId }) => memberId),
    );
    const weights = weightsOf(kept.map(Number));
    assert.equal(result?.modelRoot, rootOf(round.size, weightedSum(payloads, weights)));
  });
});
