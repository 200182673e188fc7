// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { aggregate } from "../../src/aggregation/aggregate.ts";
import { masterInMemory } from "../../src/aggregation/masterInMemory.ts";
import { toHex } from "../../src/protocol/bytes.ts";
import type { ContentId, ContentStore } from "../../src/protocol/contentStore.ts";
import { modelLayout } from "../../src/protocol/layout.ts";
import { keyedRandom } from "../../src/protocol/random.ts";
import type { CodecConfig } from "../../src/protocol/recipe/codecConfig.ts";
import type { VerifiedUpdate } from "../../src/protocol/verifiedUpdate.ts";
import { fetchArtifact } from "../../src/round/fetchArtifact.ts";
import { encodeArtifact } from "../../src/update/artifact.ts";
import { encodePayload } from "../../src/update/payload.ts";
import { verifyArtifact } from "../../src/update/verifyArtifact.ts";
import { openFolderStore } from "../support/folderStore.ts";
import { commitTo, contextFor, partsWith } from "../update/fixtures.ts";

const SIZE = 1_500_000;
const LAYOUT = modelLayout([{ name: "w", shape: [SIZE], fractionBits: 18, group: 0 }]);
const HERE = { maxBytes: 10_000_000, timeoutMs: 0 };
const DENSE: CodecConfig = { name: "int16", blockSize: 1_000 };
const SPARSE: CodecConfig = { name: "topk-int8", blockSize: 1_000, keep: 800_000 };

/** Grid integers of which nothing can be compressed away, so that the artifact is more than one block. */
function values(): Int32Array {
  const random = keyedRandom("fetch-artifact");
  return Int32Array.from({ length: SIZE }, () => random.integerBelow(60_001) - 30_000);
}

describe("an artifact in a store on disk", () => {
  const update = values();
  let folder = "";
  let store: ContentStore;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "foedus-artifact-"));
    store = await openFolderStore(folder);
  });
  after(async () => {
    await store.close();
    await rm(folder, { recursive: true, force: true });
  });

  const artifactOf = (codec: CodecConfig): Uint8Array =>
    encodeArtifact(
      partsWith({ codec: codec.name, layoutDigest: toHex(LAYOUT.digest), payload: encodePayload(update, codec) }),
    );

  async function verified(codec: CodecConfig, id: ContentId, artifact: Uint8Array): Promise<VerifiedUpdate> {
    const bounds = { maxCoordinate: 1 << 20, maxNormSq: 1n << 80n };
    const context = contextFor({ layout: LAYOUT, codec, bounds, master: new Float64Array(SIZE) });
    const verdict = await verifyArtifact(await fetchArtifact(store, id, HERE), commitTo(artifact), context);
    assert.ok(!("code" in verdict) && verdict.kind === "update");
    return verdict;
  }

  /** What one update makes of a model of zeros: itself, 65 536 times. */
  async function moved(from: VerifiedUpdate): Promise<Float64Array> {
    const master = masterInMemory(new Float64Array(SIZE));
    const beacon = `0x${"5a".repeat(32)}` as const;
    const config = { rule: "weighted-mean" } as const;
    await aggregate({ updates: [from], reputations: [65_536], alphaQ16: 0, beacon, config, layout: LAYOUT, master });
    return master.after;
  }

  /** The artifact's blocks, largest first. */
  async function blocks(): Promise<string[]> {
    const files = (await readdir(join(folder, "blocks"), { recursive: true, withFileTypes: true })).filter((entry) =>
      entry.isFile(),
    );
    const sized = await Promise.all(
      files.map(async (entry) => {
        const path = join(entry.parentPath, entry.name);
        return { path, bytes: (await readFile(path)).length };
      }),
    );
    return sized.sort((a, b) => b.bytes - a.bytes).map(({ path }) => path);
  }

  const damages: [string, (path: string) => Promise<void>][] = [
    [
      "a byte of a block is another",
      async (path) => {
        const bytes = await readFile(path);
        bytes[500_000] = (bytes[500_000] as number) ^ 1;
        await writeFile(path, bytes);
      },
    ],
    ["a block is cut short", (path) => truncate(path, 300_000)],
    ["a block is gone", (path) => rm(path)],
  ];
  for (const codec of [DENSE, SPARSE]) {
    for (const [name, damage] of damages) {
      it(`${codec.name}: verified, then ${name}: no aggregate, but CONTENT_CHANGED; and it must be fetched anew`, async () => {
        const artifact = artifactOf(codec);
        const id = await store.put(artifact);
        const source = await verified(codec, id, artifact);
        if (codec === DENSE)
          assert.deepEqual(
            Int32Array.from(await moved(source), (m) => m / 65_536),
            update,
          );
        await damage((await blocks())[0] as string);
        await assert.rejects(moved(source), { code: "CONTENT_CHANGED", exitCode: 1 });
        // Fetching finds the damage; here there is nobody else to ask.
        await assert.rejects(fetchArtifact(store, id, HERE), { code: "CONTENT_NOT_FOUND" });
        await store.reclaim();
        assert.deepEqual(await blocks(), []);
      });
    }
  }
});
