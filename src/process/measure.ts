// SPDX-License-Identifier: Apache-2.0
import type { LedgerWriter, Receipt } from "../protocol/ledger.ts";
import { refusalName } from "../protocol/refusals.ts";
import type { Metrics } from "./metrics.ts";

/** The calls of a ledger that are transactions. */
const TRANSACTIONS: ReadonlySet<string | symbol> = new Set<keyof LedgerWriter>([
  "openRound",
  "registerBeaconChain",
  "commit",
  "verdict",
  "attest",
  "finalise",
  "settle",
  "claim",
]);

/** The same ledger, with its transactions, their gas and seconds, and the refusals in its verdicts counted. */
export function measuredLedger<T extends LedgerWriter>(ledger: T, metrics: Metrics): T {
  return new Proxy(ledger, {
    get(target, key) {
      const value = Reflect.get(target, key, target) as unknown;
      // Bound, since private fields are reached through the true receiver only.
      if (typeof value !== "function") return value;
      if (!TRANSACTIONS.has(key)) return value.bind(target) as unknown;
      return async (...args: unknown[]): Promise<Receipt> => {
        const call = { call: String(key) };
        const started = performance.now();
        const receipt = (await value.apply(target, args)) as Receipt;
        metrics.count("foedus_transactions_total", call);
        metrics.count("foedus_gas_total", call, Number(receipt.gasUsed));
        metrics.count("foedus_transaction_seconds_total", call, (performance.now() - started) / 1000);
        if (key === "verdict") countRefusals(args[3] as Uint8Array, metrics);
        return receipt;
      };
    },
  });
}

function countRefusals(codes: Uint8Array, metrics: Metrics): void {
  for (const code of codes) if (code !== 0) metrics.count("foedus_refusals_total", { code: refusalName(code) });
}

/** A function's result, with its seconds counted as work of a kind. Work that fails is not counted. */
export function measured<A extends unknown[], R>(
  kind: string,
  work: (...args: A) => Promise<R>,
  metrics: Metrics,
): (...args: A) => Promise<R> {
  return async (...args) => {
    const started = performance.now();
    const result = await work(...args);
    metrics.count("foedus_work_total", { kind });
    metrics.count("foedus_work_seconds_total", { kind }, (performance.now() - started) / 1000);
    return result;
  };
}
