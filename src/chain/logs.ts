// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { bigIntToBytes, type Hex, toHex } from "../protocol/bytes.ts";
import { DecodeError } from "../protocol/errors.ts";
import { type ChainEndpoint, decodeRpc, rpc } from "./chainEndpoint.ts";
import type { ContractCodec } from "./contracts.ts";
import { RpcError } from "./errors.ts";

/** Which events to read: of one contract, with given first indexed values, in a range of blocks (inclusive). */
export interface EventQuery {
  readonly codec: ContractCodec;
  readonly address: string;
  readonly eventName: string;
  /** Values of the leading indexed parameters, all of them integers. */
  readonly indexed: readonly (bigint | number)[];
  readonly fromBlock: number;
  /** Capped at the height that counts. */
  readonly toBlock: number;
}

export interface DecodedEvent {
  /** Parameters by name, as the contract gave them. */
  readonly values: Record<string, unknown>;
  readonly block: number;
  readonly logIndex: number;
  readonly transaction: Hex;
}

const logSchema = z.looseObject({
  address: z.string().regex(/^0x[0-9a-fA-F]{40}$/),
  topics: z.array(rpc.word).max(4),
  data: rpc.bytes,
  blockNumber: rpc.safeQuantity,
  blockHash: rpc.word,
  logIndex: rpc.safeQuantity,
  transactionHash: rpc.word,
  removed: z.boolean().optional(),
});
type RawLog = z.infer<typeof logSchema>;

/** JSON-RPC: the method does not exist. No smaller range helps. */
const METHOD_NOT_FOUND = -32601;

/**
 * Reads events afresh each time, so that a reorganisation shows in the next read. Every log is checked against the question: contract, event,
 * indexed values, range; logs of one block must name one block hash; what comes twice counts once. In order of block and log index.
 * @throws DecodeError when the endpoint gives something else than was asked for.
 */
export async function readEvents(endpoint: ChainEndpoint, query: EventQuery): Promise<DecodedEvent[]> {
  const toBlock = Math.min(query.toBlock, await endpoint.blockNumber());
  const topics = [
    query.codec.eventTopic(query.eventName),
    ...query.indexed.map((value) => toHex(bigIntToBytes(BigInt(value), 32))),
  ];
  const logs: RawLog[] = [];
  let span = endpoint.logSpan;
  for (let from = query.fromBlock; from <= toBlock; ) {
    const to = Math.min(toBlock, from + span - 1);
    try {
      logs.push(...(await readRange(endpoint, query.address, topics, from, to)));
      from = to + 1;
    } catch (error) {
      // Providers limit blocks or logs per request, each with its own code and words.
      if (!(error instanceof RpcError) || error.rpcCode === METHOD_NOT_FOUND || span === 1) throw error;
      span = Math.max(1, Math.floor(Math.min(span, to - from + 1) / 2));
    }
  }
  return orderedUnique(logs).map((log) => ({
    values: query.codec.decodeEvent(query.eventName, log),
    block: log.blockNumber,
    logIndex: log.logIndex,
    transaction: log.transactionHash,
  }));
}

async function readRange(
  endpoint: ChainEndpoint,
  address: string,
  topics: readonly Hex[],
  from: number,
  to: number,
): Promise<RawLog[]> {
  const filter = { address, topics, fromBlock: `0x${from.toString(16)}`, toBlock: `0x${to.toString(16)}` };
  const logs = decodeRpc(z.array(logSchema), "eth_getLogs", await endpoint.rpc.request("eth_getLogs", [filter]));
  for (const log of logs) {
    const asked =
      log.address.toLowerCase() === address.toLowerCase() &&
      topics.every((topic, i) => log.topics[i] === topic) &&
      log.blockNumber >= from &&
      log.blockNumber <= to;
    if (!asked) {
      throw new DecodeError(
        `The chain endpoint returned a log that was not asked for (transaction ${log.transactionHash}).`,
        {
          transaction: log.transactionHash,
          block: log.blockNumber,
        },
      );
    }
  }
  return logs.filter((log) => log.removed !== true);
}

function orderedUnique(logs: readonly RawLog[]): RawLog[] {
  const byPosition = new Map<string, RawLog>();
  const hashOfBlock = new Map<number, string>();
  for (const log of logs) {
    const position = `${log.blockNumber}/${log.logIndex}`;
    const known = byPosition.get(position);
    const blockHash = hashOfBlock.get(log.blockNumber) ?? log.blockHash;
    if (blockHash !== log.blockHash || (known !== undefined && !sameLog(known, log))) {
      throw new DecodeError(
        `The chain endpoint gives two versions of block ${log.blockNumber}: the chain is being reorganised, or it lies.`,
        {
          block: log.blockNumber,
        },
      );
    }
    hashOfBlock.set(log.blockNumber, log.blockHash);
    byPosition.set(position, log);
  }
  return [...byPosition.values()].sort((a, b) => a.blockNumber - b.blockNumber || a.logIndex - b.logIndex);
}

function sameLog(a: RawLog, b: RawLog): boolean {
  return a.transactionHash === b.transactionHash && a.data === b.data && a.topics.join() === b.topics.join();
}
