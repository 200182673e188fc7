// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import type { Hex } from "../protocol/bytes.ts";
import { DecodeError } from "../protocol/errors.ts";
import { BlockClock } from "./blockClock.ts";
import { type ContractCodec, decodeRevertData } from "./contracts.ts";
import { ChainUnreachable, LedgerRevert, RpcError } from "./errors.ts";
import { JsonRpc } from "./jsonRpc.ts";

export interface ChainEndpointOptions {
  readonly rpcUrl: string;
  /** Blocks that must lie on top of a block before it counts. 0 on chains with immediate finality. */
  readonly finalityDepth?: number;
  /** Milliseconds between questions for the block number, while somebody waits for a block. */
  readonly pollingMs?: number;
  readonly timeoutMs?: number;
  /** Milliseconds during which an endpoint that stops answering is asked again before it counts as unreachable. */
  readonly patienceMs?: number;
  /** Blocks per eth_getLogs request; halved when the endpoint refuses. */
  readonly logSpan?: number;
}

/** A call or transaction in contract words. */
export interface ContractCall {
  readonly codec: ContractCodec;
  readonly to: string;
  readonly functionName: string;
  readonly args: readonly unknown[];
}

export function callName(call: ContractCall): string {
  return `${call.codec.name}.${call.functionName}`;
}

const quantity = z
  .string()
  .regex(/^0x[0-9a-fA-F]{1,64}$/)
  .transform((text) => BigInt(text));
const safeQuantity = quantity
  .refine((value) => value <= BigInt(Number.MAX_SAFE_INTEGER), "too large")
  .transform(Number);
const bytes = z
  .string()
  .regex(/^0x(?:[0-9a-fA-F]{2})*$/)
  .transform((text) => text.toLowerCase() as Hex);

/** Schemas of JSON-RPC values, shared by what reads and what writes. */
export const rpc = { quantity, safeQuantity, bytes, word: bytes.refine((text) => text.length === 66, "not 32 bytes") };

/** Decodes a JSON-RPC result. @throws DecodeError naming the method and what is wrong. */
export function decodeRpc<T extends z.ZodType>(schema: T, method: string, value: unknown): z.output<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new DecodeError(`The chain endpoint's answer to ${method} is malformed: ${z.prettifyError(parsed.error)}`, {
    method,
  });
}

/**
 * One chain endpoint: requests, the height that counts, and views of contracts. Clients with different keys may share one, and then share its
 * polling too.
 */
export class ChainEndpoint {
  readonly chainId: bigint;
  readonly rpc: JsonRpc;
  readonly clock: BlockClock;
  readonly finalityDepth: number;
  readonly logSpan: number;

  private constructor(rpc: JsonRpc, chainId: bigint, options: ChainEndpointOptions) {
    this.rpc = rpc;
    this.chainId = chainId;
    this.finalityDepth = options.finalityDepth ?? 0;
    this.logSpan = options.logSpan ?? 10_000;
    this.clock = new BlockClock(() => this.blockNumber(), options.pollingMs ?? 50);
  }

  /** Asks the endpoint for its chain. Fails at once, without patience, when nobody answers: the address is probably wrong. */
  static async connect(options: ChainEndpointOptions): Promise<ChainEndpoint> {
    const client = new JsonRpc({
      url: options.rpcUrl,
      ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
      ...(options.patienceMs === undefined ? {} : { patienceMs: options.patienceMs }),
    });
    const chainId = decodeRpc(quantity, "eth_chainId", await client.request("eth_chainId", [], 0));
    return new ChainEndpoint(client, chainId, options);
  }

  /** Height that counts: the latest block less the finality depth. */
  async blockNumber(): Promise<number> {
    const latest = decodeRpc(safeQuantity, "eth_blockNumber", await this.rpc.request("eth_blockNumber", []));
    return Math.max(0, latest - this.finalityDepth);
  }

  async codeAt(address: string): Promise<Hex> {
    return decodeRpc(bytes, "eth_getCode", await this.rpc.request("eth_getCode", [address, "latest"]));
  }

  async balanceOf(address: string): Promise<bigint> {
    return decodeRpc(quantity, "eth_getBalance", await this.rpc.request("eth_getBalance", [address, "latest"]));
  }

  /**
   * Result of a view, decoded as `ContractCodec.decodeResult` says, at the height that counts.
   * @throws LedgerRevert when the contract refuses.
   */
  async view(call: ContractCall): Promise<unknown> {
    const data = call.codec.encodeCall(call.functionName, call.args);
    const block = this.finalityDepth === 0 ? "latest" : `0x${(await this.blockNumber()).toString(16)}`;
    const result = await this.simulate({ to: call.to, data }, block, callName(call));
    return call.codec.decodeResult(call.functionName, result);
  }

  /** eth_call. @throws LedgerRevert named `name`. */
  async simulate(transaction: Record<string, string>, block: string, name: string): Promise<Hex> {
    try {
      return decodeRpc(bytes, "eth_call", await this.rpc.request("eth_call", [transaction, block]));
    } catch (error) {
      throw asRevert(error, name);
    }
  }

  /** Ends all waiting and all requests; the process can exit. */
  close(): void {
    this.clock.close(new ChainUnreachable(this.rpc.url, "is no longer asked: the client was closed"));
    this.rpc.close();
  }
}

/** A refused call or estimate as `LedgerRevert`, if it is a revert; anything else unchanged. */
export function asRevert(error: unknown, call: string, transaction?: Hex): unknown {
  if (!(error instanceof RpcError)) return error;
  const data = revertData(error.data);
  if (data === undefined && error.rpcCode !== 3 && !/revert/i.test(error.message)) return error;
  const decoded = decodeRevertData(data ?? "0x");
  const args =
    data === undefined || (decoded.name === "Unknown" && data === "0x") ? { message: error.message } : decoded.args;
  return new LedgerRevert({ call, error: decoded.name, args, data: data ?? "0x", transaction });
}

/** Nodes put the returned bytes into `data`, `data.data` or `data.result`, or behind the word "Reverted". */
function revertData(data: unknown): Hex | undefined {
  if (typeof data === "string") {
    const found = /^(?:Reverted )?(0x(?:[0-9a-fA-F]{2})*)$/.exec(data)?.[1];
    return found === undefined ? undefined : (found.toLowerCase() as Hex);
  }
  if (typeof data !== "object" || data === null) return undefined;
  const { data: inner, result } = data as Record<string, unknown>;
  return revertData(inner ?? result);
}
