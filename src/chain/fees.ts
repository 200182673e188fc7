// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { type ChainEndpoint, decodeRpc, rpc } from "./chainEndpoint.ts";
import { RpcError } from "./errors.ts";

/** What a transaction offers for gas, in wei: EIP-1559 where blocks have a base fee, the legacy price elsewhere. */
export type Fees =
  | { readonly type: 2; readonly maxFeePerGas: bigint; readonly maxPriorityFeePerGas: bigint }
  | { readonly type: 0; readonly gasPrice: bigint };

const blockSchema = z.looseObject({ baseFeePerGas: rpc.quantity.optional() });

/**
 * Current fees: twice the base fee, which outlasts six full blocks in a row, and the tip the node suggests. Consortium chains often have a base
 * fee of zero or none at all, and nodes without eth_maxPriorityFeePerGas; what they then ask is eth_gasPrice.
 */
export async function currentFees(endpoint: ChainEndpoint): Promise<Fees> {
  const latest = await endpoint.rpc.request("eth_getBlockByNumber", ["latest", false]);
  const { baseFeePerGas } = decodeRpc(blockSchema, "eth_getBlockByNumber", latest);
  if (baseFeePerGas === undefined) return { type: 0, gasPrice: await gasPrice(endpoint) };
  const maxPriorityFeePerGas = await suggestedTip(endpoint, baseFeePerGas);
  return { type: 2, maxFeePerGas: 2n * baseFeePerGas + maxPriorityFeePerGas, maxPriorityFeePerGas };
}

/** Fees that replace a pending transaction of the same nonce: nodes want at least a tenth more, some an eighth, of every component. */
export function raisedFees(fees: Fees): Fees {
  const raise = (value: bigint) => (value * 5n) / 4n + 1n;
  return fees.type === 0
    ? { type: 0, gasPrice: raise(fees.gasPrice) }
    : { type: 2, maxFeePerGas: raise(fees.maxFeePerGas), maxPriorityFeePerGas: raise(fees.maxPriorityFeePerGas) };
}

async function suggestedTip(endpoint: ChainEndpoint, baseFee: bigint): Promise<bigint> {
  try {
    return decodeRpc(
      rpc.quantity,
      "eth_maxPriorityFeePerGas",
      await endpoint.rpc.request("eth_maxPriorityFeePerGas", []),
    );
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    const price = await gasPrice(endpoint);
    return price > baseFee ? price - baseFee : 0n;
  }
}

async function gasPrice(endpoint: ChainEndpoint): Promise<bigint> {
  return decodeRpc(rpc.quantity, "eth_gasPrice", await endpoint.rpc.request("eth_gasPrice", []));
}
