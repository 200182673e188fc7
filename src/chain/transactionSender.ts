// SPDX-License-Identifier: Apache-2.0
import { getAddress, keccak256, Wallet } from "ethers";
import { z } from "zod";
import type { Hex } from "../protocol/bytes.ts";
import { ConfigError, DecodeError } from "../protocol/errors.ts";
import type { Receipt } from "../protocol/ledger.ts";
import { type Logger, SILENT } from "../protocol/logger.ts";
import { asRevert, type ChainEndpoint, type ContractCall, callName, decodeRpc, rpc } from "./chainEndpoint.ts";
import type { EventData } from "./contracts.ts";
import { LedgerRevert, RpcError, TransactionPending } from "./errors.ts";
import { currentFees, type Fees, raisedFees } from "./fees.ts";

export interface TransactionSenderOptions {
  /** Blocks without the transaction after which it is sent again with higher fees. */
  readonly raiseAfterBlocks?: number;
  /** Blocks after which waiting ends with `TransactionPending`. */
  readonly giveUpAfterBlocks?: number;
  readonly logger?: Logger | undefined;
}

/** A transaction without a contract call: creation when `to` is null. */
export interface RawTransaction {
  readonly to: string | null;
  readonly data: Hex;
  readonly value?: bigint;
}

/** A mined and successful transaction, with what it logged and the address it created. */
export interface MinedTransaction extends Receipt {
  readonly logs: readonly (EventData & { readonly address: string })[];
  readonly contractAddress: string | null;
}

interface Sent {
  readonly name: string;
  readonly transaction: RawTransaction;
  readonly nonce: number;
  readonly gasLimit: bigint;
  fees: Fees;
  /** One per fee level; whichever is mined counts. */
  readonly hashes: Hex[];
}

const receiptSchema = z
  .looseObject({
    transactionHash: rpc.word,
    blockNumber: rpc.safeQuantity,
    status: rpc.safeQuantity,
    gasUsed: rpc.quantity,
    logs: z.array(z.looseObject({ address: z.string(), topics: z.array(rpc.word), data: rpc.bytes })),
    contractAddress: z
      .string()
      .regex(/^0x[0-9a-fA-F]{40}$/)
      .nullish(),
  })
  .nullable();
type RawReceipt = NonNullable<z.infer<typeof receiptSchema>>;

const ATTEMPTS = 5;
const NOT_YET_BLOCKS = 2;
const PHASES = { committing: 1, finalising: 4 } as const;

/**
 * Transactions of one key. While some are under way, nonces are counted here, since nodes report pending transactions late or never; when none
 * is, the node is asked, which also brings the count back after a reorganisation or another process's transactions. Transactions take their
 * nonces in the order of the calls, one at a time; waiting for receipts overlaps.
 */
export class TransactionSender {
  readonly account: string;
  readonly endpoint: ChainEndpoint;
  readonly #wallet: Wallet;
  readonly #logger: Logger;
  readonly #raiseAfterBlocks: number;
  readonly #giveUpAfterBlocks: number;
  /** Nonce after those under way; undefined when the node has to be asked. */
  #nextNonce: number | undefined;
  #underWay = 0;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(endpoint: ChainEndpoint, privateKey: Hex, options: TransactionSenderOptions = {}) {
    this.endpoint = endpoint;
    this.#wallet = new Wallet(privateKey);
    this.account = this.#wallet.address;
    this.#logger = options.logger ?? SILENT;
    this.#raiseAfterBlocks = options.raiseAfterBlocks ?? 12;
    this.#giveUpAfterBlocks = options.giveUpAfterBlocks ?? 120;
  }

  /**
   * Calls a contract's function in a transaction and waits until it is mined and final.
   * @throws LedgerRevert when the contract refuses, already in the estimate or in the block.
   * @throws TransactionPending, ChainUnreachable, ConfigError (no funds): the call can be repeated.
   */
  async call(call: ContractCall): Promise<MinedTransaction> {
    return await this.send({ to: call.to, data: call.codec.encodeCall(call.functionName, call.args) }, callName(call));
  }

  async send(transaction: RawTransaction, name: string): Promise<MinedTransaction> {
    for (let attempt = 1; ; attempt++) {
      const sent = await this.#inTurn(() => this.#prepareAndSend(transaction, name));
      const receipt = await this.#mined(sent).finally(() => {
        if (--this.#underWay === 0) this.#nextNonce = undefined;
      });
      if (receipt !== undefined) return await this.#settled(sent, receipt);
      // Another process used this key's nonce: the call is prepared anew, and refused by the contract if that process did the same thing.
      if (attempt >= ATTEMPTS) throw new TransactionPending(name, sent.hashes.at(-1) as Hex, 0);
      this.#nextNonce = undefined;
    }
  }

  /** Signature of a 32-byte digest, 65 bytes r ‖ s ‖ v. */
  signDigest(digest: Uint8Array): Hex {
    return this.#wallet.signingKey.sign(digest).serialized as Hex;
  }

  async receiptOf(transaction: Hex): Promise<Receipt | undefined> {
    const receipt = await this.#receipt(transaction);
    return receipt === undefined ? undefined : toReceipt(receipt);
  }

  /** The nonce that the next transaction will take, if no other process uses this key meanwhile. */
  async nextNonce(): Promise<number> {
    return await this.#inTurn(async () => this.#nextNonce ?? (await this.#pendingNonce()));
  }

  async #prepareAndSend(transaction: RawTransaction, name: string): Promise<Sent> {
    const gasLimit = await this.#gasLimit(transaction, name);
    const fees = await currentFees(this.endpoint);
    for (let attempt = 1; ; attempt++) {
      const nonce = this.#nextNonce ?? (await this.#pendingNonce());
      const sent: Sent = { name, transaction, nonce, gasLimit, fees, hashes: [] };
      try {
        await this.#broadcast(sent);
        this.#nextNonce = nonce + 1;
        this.#underWay++;
        return sent;
      } catch (error) {
        // Whatever went wrong, the counter is no longer to be trusted.
        this.#nextNonce = undefined;
        if (!(error instanceof RpcError) || !isNonceTaken(error) || attempt >= ATTEMPTS)
          throw await this.#explained(error, name);
        this.#logger.debug({ call: name, nonce, attempt }, "nonce was taken, asking for it again");
        // A node can report a nonce late; the next block is when it knows better.
        if (attempt > 1) await this.endpoint.clock.after(await this.endpoint.blockNumber());
      }
    }
  }

  /** Estimate and a margin: state may differ in the block, and the last one to act in a phase writes more. */
  async #gasLimit(transaction: RawTransaction, name: string): Promise<bigint> {
    const { to, data, value } = transaction;
    const request = {
      from: this.account,
      ...(to === null ? {} : { to }),
      data,
      ...(value ? { value: `0x${value.toString(16)}` } : {}),
    };
    for (let waited = 0; ; waited++) {
      try {
        const estimate = await this.#estimate(request);
        return (estimate * 13n) / 10n + 20_000n;
      } catch (error) {
        const revert = asRevert(error, name);
        if (!(revert instanceof LedgerRevert)) throw await this.#explained(error, name);
        if (!isNotYet(revert) || waited >= NOT_YET_BLOCKS) throw revert;
        // Nodes estimate in the latest block, but the transaction would run in the next: at the border of a phase they refuse one too early.
        await this.endpoint.clock.after(await this.endpoint.blockNumber());
      }
    }
  }

  async #estimate(request: Record<string, string>): Promise<bigint> {
    try {
      return decodeRpc(
        rpc.quantity,
        "eth_estimateGas",
        await this.endpoint.rpc.request("eth_estimateGas", [request, "pending"]),
      );
    } catch (error) {
      // Some nodes take no block here.
      if (!(error instanceof RpcError) || asRevert(error, "") instanceof LedgerRevert) throw error;
      return decodeRpc(rpc.quantity, "eth_estimateGas", await this.endpoint.rpc.request("eth_estimateGas", [request]));
    }
  }

  async #broadcast(sent: Sent): Promise<void> {
    const { transaction, nonce, gasLimit, fees } = sent;
    const signed = await this.#wallet.signTransaction({
      chainId: this.endpoint.chainId,
      nonce,
      gasLimit,
      to: transaction.to,
      data: transaction.data,
      value: transaction.value ?? 0n,
      ...fees,
    });
    const hash = keccak256(signed) as Hex;
    try {
      const answered = decodeRpc(
        rpc.word,
        "eth_sendRawTransaction",
        await this.endpoint.rpc.request("eth_sendRawTransaction", [signed]),
      );
      if (answered !== hash) {
        throw new DecodeError(
          `The chain endpoint answered another transaction hash (${answered}) than that of what was sent (${hash}).`,
        );
      }
    } catch (error) {
      // The first answer may have been lost on the way: then the node knows the transaction, or has mined it already.
      const known =
        error instanceof RpcError &&
        (isKnown(error) || (isNonceTaken(error) && (await this.#receipt(hash)) !== undefined));
      if (!known) throw error;
    }
    sent.hashes.push(hash);
    this.#logger.debug({ call: sent.name, transaction: hash, nonce }, "transaction sent");
  }

  /** Receipt of whichever version of the transaction was mined and is final; undefined when the nonce went to a stranger's transaction. */
  async #mined(sent: Sent): Promise<RawReceipt | undefined> {
    const first = await this.endpoint.blockNumber();
    let usedByStranger = 0;
    for (let block = first; ; block = await this.endpoint.clock.after(block)) {
      const receipt = await this.#receiptOfAny(sent.hashes);
      if (receipt !== undefined) {
        if (receipt.blockNumber <= block || receipt.blockNumber <= (await this.endpoint.blockNumber())) return receipt;
        continue;
      }
      const used = decodeRpc(rpc.safeQuantity, "eth_getTransactionCount", await this.#transactionCount("latest"));
      if (used > sent.nonce) {
        // A node may know the state of a block before its receipts, so this has to be seen in two blocks.
        if ((await this.#receiptOfAny(sent.hashes)) === undefined && ++usedByStranger === 2) return undefined;
      } else if (block - first >= this.#giveUpAfterBlocks) {
        throw new TransactionPending(sent.name, sent.hashes.at(-1) as Hex, block - first);
      } else if (block - first >= this.#raiseAfterBlocks * sent.hashes.length) {
        await this.#raise(sent);
      }
    }
  }

  async #receiptOfAny(hashes: readonly Hex[]): Promise<RawReceipt | undefined> {
    for (const hash of hashes) {
      const receipt = await this.#receipt(hash);
      if (receipt !== undefined) return receipt;
    }
    return undefined;
  }

  async #raise(sent: Sent): Promise<void> {
    sent.fees = raisedFees(sent.fees);
    this.#logger.warn(
      { call: sent.name, nonce: sent.nonce, sent: sent.hashes.length },
      "transaction is not mined, offering higher fees",
    );
    try {
      await this.#broadcast(sent);
    } catch (error) {
      // The earlier version stands; if that was mined meanwhile, its receipt comes next.
      if (!(error instanceof RpcError)) throw error;
    }
  }

  async #settled(sent: Sent, receipt: RawReceipt): Promise<MinedTransaction> {
    if (receipt.status !== 1) throw await this.#revertOf(sent, receipt);
    this.#logger.debug(
      { call: sent.name, block: receipt.blockNumber, gas: Number(receipt.gasUsed) },
      "transaction mined",
    );
    return {
      ...toReceipt(receipt),
      logs: receipt.logs,
      contractAddress: receipt.contractAddress ? getAddress(receipt.contractAddress) : null,
    };
  }

  /** A receipt does not say why; the call is repeated on the state before its block. */
  async #revertOf(sent: Sent, receipt: RawReceipt): Promise<unknown> {
    const { to, data } = sent.transaction;
    const hash = receipt.transactionHash;
    const request = { from: this.account, ...(to === null ? {} : { to }), data };
    for (const block of [receipt.blockNumber - 1, receipt.blockNumber]) {
      try {
        await this.endpoint.simulate(request, `0x${block.toString(16)}`, sent.name);
      } catch (error) {
        if (!(error instanceof LedgerRevert)) throw error;
        const { call, args, data: revertData } = error;
        return new LedgerRevert({ call, error: error.error, args: { ...args }, data: revertData, transaction: hash });
      }
    }
    const reason = receipt.gasUsed === sent.gasLimit ? "OutOfGas" : "Unknown";
    return new LedgerRevert({
      call: sent.name,
      error: reason,
      args: { block: receipt.blockNumber },
      data: "0x",
      transaction: hash,
    });
  }

  async #explained(error: unknown, name: string): Promise<unknown> {
    if (!(error instanceof RpcError)) return error;
    if (/insufficient funds|enough funds|upfront cost|insufficient balance/i.test(error.message)) {
      const balance = await this.endpoint.balanceOf(this.account);
      return new ConfigError(
        `${name}: account ${this.account} cannot pay for the transaction's gas; it has ${balance} wei. Send it funds, or use another key.`,
        { account: this.account, balance },
        error,
      );
    }
    return asRevert(error, name);
  }

  async #receipt(hash: Hex): Promise<RawReceipt | undefined> {
    const answer = await this.endpoint.rpc.request("eth_getTransactionReceipt", [hash]);
    return decodeRpc(receiptSchema, "eth_getTransactionReceipt", answer) ?? undefined;
  }

  async #pendingNonce(): Promise<number> {
    return decodeRpc(rpc.safeQuantity, "eth_getTransactionCount", await this.#transactionCount("pending"));
  }

  async #transactionCount(block: string): Promise<unknown> {
    return await this.endpoint.rpc.request("eth_getTransactionCount", [this.account, block]);
  }

  /** Runs one action after the other, in the order asked for, whether or not the ones before failed. */
  async #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(action, action);
    this.#queue = turn.catch(() => {});
    return await turn;
  }
}

function toReceipt(receipt: RawReceipt): Receipt {
  return { transaction: receipt.transactionHash, block: receipt.blockNumber, gasUsed: receipt.gasUsed };
}

/** The words differ from node to node: geth, Besu, Hardhat, Anvil, Kaia. */
function isKnown(error: RpcError): boolean {
  return /already known|known transaction|already imported|already in/i.test(error.message);
}

function isNonceTaken(error: RpcError): boolean {
  return /nonce.{0,40}(?:low|used|expected|invalid)|(?:low|old|used|invalid|expected).{0,20}nonce|underpriced|replacement/i.test(
    error.message,
  );
}

/** Refusals that only say "one block too early". */
function isNotYet(revert: LedgerRevert): boolean {
  const { phase, wanted } = revert.args;
  if (revert.error === "ShapleyRewardsWindowOpen") return true;
  return (
    revert.error === "TrainingLedgerWrongPhase" &&
    typeof phase === "number" &&
    typeof wanted === "number" &&
    phase >= PHASES.committing &&
    phase < wanted &&
    wanted <= PHASES.finalising
  );
}
