// SPDX-License-Identifier: Apache-2.0

import type { Hex } from "../protocol/bytes.ts";
import { EXIT, FoedusError } from "../protocol/errors.ts";

/** The endpoint does not answer, or not as a JSON-RPC endpoint does. Nothing is known about the chain; trying again may help. */
export class ChainUnreachable extends FoedusError {
  readonly url: string;

  constructor(url: string, reason: string, cause?: unknown) {
    super(
      "CHAIN_UNREACHABLE",
      `The chain endpoint ${redactUrl(url)} ${reason}. Start the chain or correct the RPC address, then run the command again.`,
      { exitCode: EXIT.unreachable, values: { url: redactUrl(url) }, cause },
    );
    this.name = "ChainUnreachable";
    this.url = redactUrl(url);
  }
}

/** The endpoint answered a request with a JSON-RPC error that is not a contract's revert. */
export class RpcError extends FoedusError {
  readonly rpcCode: number;
  readonly data: unknown;

  constructor(url: string, method: string, rpcCode: number, message: string, data?: unknown) {
    super(
      "RPC_ERROR",
      `The chain endpoint ${redactUrl(url)} refused ${method}: ${message} (JSON-RPC code ${rpcCode}).`,
      {
        values: { url: redactUrl(url), method, rpcCode },
      },
    );
    this.name = "RpcError";
    this.rpcCode = rpcCode;
    this.data = data;
  }
}

/** A contract refused a call or a transaction. `error` is the name of its custom error, `args` the values it carries. */
export class LedgerRevert extends FoedusError {
  /** Custom error's name, `Error` for a reason string, `Panic`, or `Unknown` with the raw data. */
  readonly error: string;
  readonly args: Readonly<Record<string, unknown>>;
  readonly data: Hex;
  /** The call in contract words, for example `TrainingLedger.commit`. */
  readonly call: string;
  /** Hash of the mined transaction when it reverted on chain and not already in its simulation. */
  readonly transaction: Hex | undefined;

  constructor(revert: {
    call: string;
    error: string;
    args: Record<string, unknown>;
    data: Hex;
    transaction?: Hex | undefined;
  }) {
    const listed = Object.entries(revert.args).map(([name, value]) => `${name} ${formatValue(value)}`);
    super(
      "LEDGER_REVERT",
      `${revert.call} was refused by the contract: ${revert.error}${listed.length === 0 ? "" : ` (${listed.join(", ")})`}.`,
      { values: { call: revert.call, error: revert.error, args: revert.args, transaction: revert.transaction } },
    );
    this.name = "LedgerRevert";
    this.error = revert.error;
    this.args = revert.args;
    this.data = revert.data;
    this.call = revert.call;
    this.transaction = revert.transaction;
  }
}

/** A transaction was not mined within the time allowed; it may still be. */
export class TransactionPending extends FoedusError {
  constructor(call: string, transaction: Hex, blocks: number) {
    super(
      "TRANSACTION_PENDING",
      `${call}: transaction ${transaction} was not mined within ${blocks} blocks. Look at the node's fees and transaction pool; the same call can be repeated safely.`,
      { exitCode: EXIT.unreachable, values: { call, transaction, blocks } },
    );
    this.name = "TransactionPending";
  }
}

/** URLs carry API keys in user info, path or query; only scheme and host are shown. */
export function redactUrl(url: string): string {
  try {
    const { protocol, host, pathname, search, username } = new URL(url);
    const secret = username !== "" || search !== "" || pathname.length > 1;
    return `${protocol}//${host}${secret ? "/…" : ""}`;
  } catch {
    return "(not a URL)";
  }
}

function formatValue(value: unknown): string {
  return Array.isArray(value) ? `[${value.map(formatValue).join(", ")}]` : String(value);
}
