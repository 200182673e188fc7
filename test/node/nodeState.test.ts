// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { cp, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import type { NodeContext } from "../../src/node/nodeContext.ts";
import { NodeState, type PreparedUpdate } from "../../src/node/nodeState.ts";
import { prepareUpdateOnce } from "../../src/node/round/prepareUpdateOnce.ts";
import { ZERO_WORD } from "../../src/protocol/commitment.ts";
import type { RoundView } from "../../src/protocol/ledger.ts";
import { SILENT } from "../../src/protocol/logger.ts";

const word = (digit: string): `0x${string}` => `0x${digit.repeat(64)}`;

function update(round: number, residual = [1.5, -2.25, 0]): PreparedUpdate {
  return {
    round,
    artifact: Uint8Array.of(1, 2, 3, round),
    commitment: {
      run: 7n,
      round,
      head: word("a"),
      memberId: 3,
      artifactDigest: word("b"),
      artifactCid: word("c"),
      samples: 100,
      lossCommitment: 12_345n,
      extension: ZERO_WORD,
    },
    signature: `0x${"1b".repeat(65)}`,
    loss: 65_536,
    salt: 99n,
    nextResidual: Float64Array.from(residual),
  };
}

describe("state of a node on disk", () => {
  let folder: string;
  let state: NodeState;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "foedus-node-state-"));
    state = new NodeState(folder, 7n);
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it("gives back exactly the update that was saved", async () => {
    await state.save(update(4));
    assert.deepEqual(await new NodeState(folder, 7n).prepared(4), update(4));
    assert.equal(await state.prepared(5), undefined);
    assert.equal(await new NodeState(folder, 8n).prepared(4), undefined);
  });

  it("a save that was interrupted leaves no update", async () => {
    await state.save(update(4));
    const [run] = await readdir(folder);
    await cp(join(folder, run as string, "round-4"), join(folder, run as string, "round-5.tmp"), { recursive: true });
    assert.equal(await state.prepared(5), undefined);
    assert.deepEqual(await state.pendingRounds(), [4]);
    // And the next save is not disturbed by what is left.
    await state.save(update(5));
    assert.deepEqual(await state.prepared(5), update(5));
  });

  it("the residual advances with its round only when the update was kept, and once", async () => {
    const nothing = { values: new Float64Array(3), round: undefined };
    assert.deepEqual(await state.residual(3), nothing);
    await state.save(update(1, [1, 2, 3]));
    await state.close(1, false);
    assert.deepEqual(await state.residual(3), nothing);
    await state.save(update(2, [4, 5, 6]));
    await state.close(2, true);
    await state.close(2, true);
    assert.deepEqual(await state.residual(3), { values: Float64Array.of(4, 5, 6), round: 2 });
    assert.deepEqual(await state.pendingRounds(), []);
    await state.save(update(3, [7, 8, 9]));
    await state.close(3, false);
    assert.deepEqual(await state.residual(3), { values: Float64Array.of(4, 5, 6), round: 2 });
  });

  it("a residual that does not say its round is read, in flight and adopted", async () => {
    await state.save(update(1, [1, 2, 3]));
    const [run] = await readdir(folder);
    const at = (...path: string[]) => join(folder, run as string, ...path);
    await writeFile(at("round-1", "residual.bin"), new Uint8Array(Float64Array.of(1, 2, 3).buffer));
    assert.deepEqual(await state.prepared(1), update(1, [1, 2, 3]));
    await state.close(1, true);
    assert.deepEqual(await state.residual(3), { values: Float64Array.of(1, 2, 3), round: undefined });
  });

  it("what the client algorithm remembers advances only with a kept update, name by name", async () => {
    const first = { control: Float32Array.of(1, -2.5), previous: new Float32Array() };
    assert.deepEqual(await state.local(), {});
    await state.save({ ...update(1), nextLocal: first });
    assert.deepEqual((await new NodeState(folder, 7n).prepared(1))?.nextLocal, first);
    await state.close(1, false);
    assert.deepEqual(await state.local(), {});
    await state.save({ ...update(2), nextLocal: first });
    await state.close(2, true);
    await state.close(2, true);
    assert.deepEqual(await state.local(), first);
    // An update that leaves it as it is.
    await state.save(update(3));
    await state.close(3, true);
    assert.deepEqual(await state.local(), first);
  });

  it("a crash between the two files' moves is repaired by closing again", async () => {
    await state.save({ ...update(1, [1, 2, 3]), nextLocal: { control: Float32Array.of(7) } });
    const [run] = await readdir(folder);
    const at = (...path: string[]) => join(folder, run as string, ...path);
    await rename(at("round-1", "residual.bin"), at("residual.bin"));
    await state.close(1, true);
    assert.deepEqual(await state.residual(3), { values: Float64Array.of(1, 2, 3), round: 1 });
    assert.deepEqual(await state.local(), { control: Float32Array.of(7) });
  });

  it("a damaged local state is refused with what to do", async () => {
    await state.save({ ...update(1), nextLocal: { control: Float32Array.of(7) } });
    await state.close(1, true);
    const [run] = await readdir(folder);
    const file = join(folder, run as string, "local.bin");
    const whole = await readFile(file);
    for (const damaged of [whole.subarray(0, 3), whole.subarray(0, -1), Buffer.concat([whole, whole])]) {
      await writeFile(file, damaged);
      await assert.rejects(state.local(), { code: "MALFORMED_INPUT", message: /Delete local\.bin/ });
    }
  });

  it("a residual of another model's size is refused with what to do", async () => {
    await state.save(update(1));
    await state.close(1, true);
    await assert.rejects(state.residual(4), { code: "MALFORMED_INPUT", message: /28 bytes; the model takes 36/ });
  });

  it("a damaged record is refused, not resent", async () => {
    await state.save(update(1));
    const [run] = await readdir(folder);
    await writeFile(join(folder, run as string, "round-1", "update.json"), `{"round":1}`);
    await assert.rejects(state.prepared(1), /is not a prepared update/);
  });
});

describe("two different artifacts for one round after a restart", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "foedus-node-state-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const round = { run: 7n, round: 4, head: word("a"), closing: false } as unknown as RoundView;

  /** A node whose training must not be asked for: doing so is the lie. */
  function node(commits: readonly PreparedUpdate[]): NodeContext {
    return {
      run: 7n,
      memberId: 3,
      state: new NodeState(folder, 7n),
      logger: SILENT,
      signal: new AbortController().signal,
      ledger: {
        memberInRound: async () => ({ id: 3, signer: "", encryptionKey: word("d"), maxSamples: 1000, name: "member" }),
        isInvited: async () => true,
        commits: async () =>
          commits.map(({ commitment, signature }, commitIndex) => ({ commitment, signature, commitIndex, block: 1 })),
        runView: () => Promise.reject(new Error("a second artifact is being made")),
      },
    } as unknown as NodeContext;
  }

  it("with its files: the same bytes and the same signature", async () => {
    const context = node([]);
    await context.state.save(update(4));
    assert.deepEqual(await prepareUpdateOnce(context, round), update(4));
  });

  it("without its files: the round is left out", async () => {
    assert.equal(await prepareUpdateOnce(node([update(4)]), round), undefined);
  });

  it("without its files and without a commit on chain: nothing stands in the way of a first artifact", async () => {
    await assert.rejects(prepareUpdateOnce(node([]), round), /a second artifact is being made/);
  });
});
