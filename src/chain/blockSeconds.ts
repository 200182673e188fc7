// SPDX-License-Identifier: Apache-2.0

import { z } from "zod";
import { type ChainEndpoint, decodeRpc, rpc } from "./chainEndpoint.ts";

/** Blocks over which the mean is taken: headers count whole seconds, so fewer would say little of a chain with short blocks. */
const SPAN = 100;
const LEAST = 10;

const headerSchema = z.looseObject({ timestamp: rpc.safeQuantity });

/**
 * Mean seconds between the last blocks of a chain, as their headers tell; undefined where it has fewer than eleven after the first, or they have one
 * time. For estimates of one participant alone: nothing that is agreed on reads the times of blocks.
 */
export async function blockSeconds(endpoint: Pick<ChainEndpoint, "blockNumber" | "rpc">): Promise<number | undefined> {
  const last = await endpoint.blockNumber();
  // The genesis block has whatever time its file says.
  const first = Math.max(1, last - SPAN);
  if (last - first < LEAST) return undefined;
  const [from, to] = [await timeOf(endpoint, first), await timeOf(endpoint, last)];
  return to > from ? (to - from) / (last - first) : undefined;
}

async function timeOf({ rpc: client }: Pick<ChainEndpoint, "rpc">, block: number): Promise<number> {
  const header = await client.request("eth_getBlockByNumber", [`0x${block.toString(16)}`, false]);
  return decodeRpc(headerSchema, "eth_getBlockByNumber", header).timestamp;
}
