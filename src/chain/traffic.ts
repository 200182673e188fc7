// SPDX-License-Identifier: Apache-2.0
import { Interface, Transaction } from "ethers";
import { z } from "zod";
import { DecodeError } from "../protocol/errors.ts";
import type { LedgerAddresses, LossProof } from "../protocol/ledger.ts";
import { CONSORTIUM_ABI, PROOF_OF_TRAINING_ABI, SHAPLEY_REWARDS_ABI, TRAINING_LEDGER_ABI } from "./abi.generated.ts";
import { type ChainEndpoint, decodeRpc, rpc } from "./chainEndpoint.ts";
import { PROOF_VERIFIER } from "./contracts.ts";

const CONTRACTS: readonly [keyof LedgerAddresses, Interface][] = [
  ["consortium", new Interface(CONSORTIUM_ABI)],
  ["trainingLedger", new Interface(TRAINING_LEDGER_ABI)],
  ["proofOfTraining", new Interface(PROOF_OF_TRAINING_ABI)],
  ["shapleyRewards", new Interface(SHAPLEY_REWARDS_ABI)],
];

/** The call of a federation's contract that a signed transaction carries, with its round if it names one; undefined for any other transaction. */
export function callIn(rawTransaction: string): { call: string; round?: number } | undefined {
  let transaction: Transaction;
  try {
    transaction = Transaction.from(rawTransaction);
  } catch {
    return undefined;
  }
  for (const [, contract] of CONTRACTS) {
    const description = contract.parseTransaction(transaction);
    if (description === null) continue;
    const named = description.args.toObject(true) as { round?: bigint; commitment?: { round: bigint } };
    const round = named.round ?? named.commitment?.round;
    return { call: description.name, ...(round === undefined ? {} : { round: Number(round) }) };
  }
  return undefined;
}

/** Gas of one successful call to a contract of the federation. */
export interface CallGas {
  readonly call: string;
  /** Who sent it. */
  readonly account: string;
  readonly block: number;
  readonly gasUsed: number;
}

const blockSchema = z.looseObject({
  transactions: z.array(
    z.looseObject({ hash: rpc.word, from: z.string(), to: z.string().nullable(), input: rpc.bytes }),
  ),
});
const receiptSchema = z.looseObject({ gasUsed: rpc.safeQuantity, status: rpc.quantity });

/** Gas of every successful call to the federation's contracts in a range of blocks, oldest first. */
export async function gasOfCalls(
  endpoint: ChainEndpoint,
  addresses: LedgerAddresses,
  from: number,
  to: number,
): Promise<CallGas[]> {
  const found: CallGas[] = [];
  for (let block = from; block <= to; block++) {
    const { transactions } = decodeRpc(
      blockSchema,
      "eth_getBlockByNumber",
      await endpoint.rpc.request("eth_getBlockByNumber", [`0x${block.toString(16)}`, true]),
    );
    for (const { hash, from: account, to: target, input } of transactions) {
      const contract = CONTRACTS.find(([name]) => addresses[name].toLowerCase() === target?.toLowerCase());
      const call = contract?.[1].getFunction(input.slice(0, 10))?.name;
      if (call === undefined) continue;
      const answer = await endpoint.rpc.request("eth_getTransactionReceipt", [hash]);
      if (answer === null) throw new DecodeError(`Transaction ${hash} stands in block ${block} and has no receipt.`);
      const { gasUsed, status } = decodeRpc(receiptSchema, "eth_getTransactionReceipt", answer);
      if (status === 1n) found.push({ call, account, block, gasUsed });
    }
  }
  return found;
}

/** Gas of executing the verifier on a proof, without the 21 000 of a transaction and its calldata. */
export async function verificationGas(
  endpoint: ChainEndpoint,
  verifier: string,
  proof: LossProof,
  signals: readonly bigint[],
): Promise<number> {
  const data = PROOF_VERIFIER.encodeCall("verify", [proof.a, proof.b, proof.c, signals]);
  const estimate = decodeRpc(
    rpc.safeQuantity,
    "eth_estimateGas",
    await endpoint.rpc.request("eth_estimateGas", [{ to: verifier, data }]),
  );
  let calldata = 0;
  for (let i = 2; i < data.length; i += 2) calldata += data.slice(i, i + 2) === "00" ? 4 : 16;
  return estimate - 21_000 - calldata;
}
