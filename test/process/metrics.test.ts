// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { measured, measuredLedger } from "../../src/process/measure.ts";
import { Metrics } from "../../src/process/metrics.ts";
import type { LedgerWriter, Receipt } from "../../src/protocol/ledger.ts";
import { REFUSALS } from "../../src/protocol/refusals.ts";

const RECEIPT: Receipt = { transaction: "0x01", block: 7, gasUsed: 53_000n };

/** A ledger with a private field, as the real one has: methods must be called on it and not on what wraps it. */
class CountingLedger {
  #calls = 0;
  async verdict(): Promise<Receipt> {
    this.#calls++;
    return RECEIPT;
  }
  async attest(): Promise<Receipt> {
    throw new Error("refused");
  }
  async blockNumber(): Promise<number> {
    return this.#calls;
  }
}

describe("metrics", () => {
  it("writes the text format, escaping labels", () => {
    const metrics = new Metrics();
    metrics.count("foedus_refusals_total", { code: 'a"b\\c\nd' });
    metrics.count("foedus_refusals_total", { code: 'a"b\\c\nd' }, 2);
    metrics.set("foedus_block", 5);
    metrics.set("foedus_block", 4);
    assert.equal(
      metrics.render(),
      [
        "# HELP foedus_refusals_total Updates this validator voted against, by refusal code.",
        "# TYPE foedus_refusals_total counter",
        'foedus_refusals_total{code="a\\"b\\\\c\\nd"} 3',
        "# HELP foedus_block Block that counts, by this participant's endpoint.",
        "# TYPE foedus_block gauge",
        "foedus_block 4",
        "",
      ].join("\n"),
    );
  });

  it("counts transactions, gas and the refusals of a verdict; nothing of what failed or only reads", async () => {
    const metrics = new Metrics();
    const ledger = measuredLedger(new CountingLedger() as unknown as LedgerWriter, metrics);
    const { MALFORMED, BAD_SEAL } = REFUSALS;
    assert.equal(
      await ledger.verdict(1n, 1, 1n, Uint8Array.of(0, MALFORMED.code, BAD_SEAL.code, BAD_SEAL.code), "0x"),
      RECEIPT,
    );
    await assert.rejects(ledger.attest(1n, 1, "0x"), /refused/);
    assert.equal(await ledger.blockNumber(), 1, "the wrapped ledger was called");
    const text = metrics.render();
    assert.match(text, /^foedus_transactions_total\{call="verdict"\} 1$/m);
    assert.match(text, /^foedus_gas_total\{call="verdict"\} 53000$/m);
    assert.match(text, /^foedus_refusals_total\{code="MALFORMED"\} 1$/m);
    assert.match(text, /^foedus_refusals_total\{code="BAD_SEAL"\} 2$/m);
    assert.doesNotMatch(text, /attest|blockNumber|UNKNOWN/);
  });

  it("counts work that succeeded", async () => {
    const metrics = new Metrics();
    assert.equal(await measured("training", async (x: number) => x + 1, metrics)(2), 3);
    await assert.rejects(
      measured("training", async () => Promise.reject(new Error("diverged")), metrics)(),
      /diverged/,
    );
    assert.match(metrics.render(), /^foedus_work_total\{kind="training"\} 1$/m);
  });
});
