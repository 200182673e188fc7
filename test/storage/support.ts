// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ContentStoreFailureCode } from "../../src/protocol/contentStore.ts";
import { StoreError } from "../../src/storage/errors.ts";

export const MIB = 1 << 20;

/** Bytes that are the same in every run and differ for every seed (xorshift32; seed ≥ 1). */
export function sampleBytes(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = (seed * 2_654_435_761) >>> 0 || 1;
  for (let i = 0; i < length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[i] = state;
  }
  return bytes;
}

/** Asserts the failure's code, and its values where given. */
export async function rejectsWith(
  work: Promise<unknown>,
  code: ContentStoreFailureCode,
  values: Record<string, unknown> = {},
): Promise<void> {
  await assert.rejects(work, (error: unknown) => {
    assert.ok(error instanceof StoreError, `expected ${code}, got ${String(error)}`);
    assert.equal(error.code, code, error.message);
    for (const [name, value] of Object.entries(values)) assert.deepEqual(error.values[name], value, name);
    return true;
  });
}

/** A folder that is gone after the test. */
export async function temporaryFolder(t: { after(fn: () => Promise<void>): void }): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "foedus-store-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Waits until something holds; looks every 5 ms. */
export async function until(holds: () => boolean | Promise<boolean>, what: string, timeoutMs = 5_000): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!(await holds())) {
    if (performance.now() > end) assert.fail(`After ${timeoutMs} ms still not: ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
