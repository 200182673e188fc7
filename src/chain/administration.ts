// SPDX-License-Identifier: Apache-2.0
import type { Hex } from "../protocol/bytes.ts";
import { ConfigError, DecodeError } from "../protocol/errors.ts";
import type { LedgerAddresses, Receipt, RunParams } from "../protocol/ledger.ts";
import type { ChainEndpoint } from "./chainEndpoint.ts";
import { CONSORTIUM, type ContractCodec, TOKEN, TRAINING_LEDGER } from "./contracts.ts";
import * as records from "./records.ts";
import { type MinedTransaction, TransactionSender, type TransactionSenderOptions } from "./transactionSender.ts";

/** Roles with their numbers in the registry. */
export const ROLES = { member: 1, validator: 2, auditor: 3 } as const;
export type RoleName = keyof typeof ROLES;

export interface PublicKeys {
  readonly signer: string;
  /** Raw X25519 public key. */
  readonly encryptionKey: Hex;
}

/** A change of the validator set: an addition by its keys, a removal by its id. */
export type ValidatorChange = { readonly add: PublicKeys } | { readonly remove: number };

/** An effect, and the transaction that had it; `receipt` is absent when it had been there before the call. */
export interface Effect {
  readonly receipt: Receipt | undefined;
}

export interface TokenState {
  readonly balance: bigint;
  /** What ShapleyRewards may take. */
  readonly allowance: bigint;
}

/**
 * The registry and the runs from the point of view of those who administer them: the admin, and the parties about their own keys. Calls that
 * find their effect already there succeed without a transaction.
 */
export class Administration {
  readonly endpoint: ChainEndpoint;
  readonly addresses: LedgerAddresses;
  readonly account: string;
  readonly #sender: TransactionSender;

  constructor(
    endpoint: ChainEndpoint,
    addresses: LedgerAddresses,
    privateKey: Hex,
    options: TransactionSenderOptions = {},
  ) {
    this.endpoint = endpoint;
    this.addresses = addresses;
    this.#sender = new TransactionSender(endpoint, privateKey, options);
    this.account = this.#sender.account;
  }

  /** Admin only. A signer that is this member already, with the same key and bound, is left as it is. */
  async admitMember(
    member: PublicKeys & { readonly maxSamples: number; readonly name: string },
  ): Promise<Effect & { memberId: number }> {
    const { signer, encryptionKey, maxSamples, name } = member;
    const known = await this.#identityOf(signer);
    if (known.role === ROLES.member) {
      const record = await this.#record("memberOf", known.id);
      if (record.encryptionKey === encryptionKey && record.maxSamples === maxSamples && record.active)
        return { memberId: known.id, receipt: undefined };
    }
    const mined = await this.#consortium("admitMember", signer, encryptionKey, maxSamples, name);
    return { memberId: this.#numberIn(mined, "MemberAdmitted", "memberId"), receipt: receiptOf(mined) };
  }

  /** Admin only. */
  async admitAuditor(auditor: PublicKeys): Promise<Effect & { auditorId: number }> {
    const { signer, encryptionKey } = auditor;
    const known = await this.#identityOf(signer);
    if (known.role === ROLES.auditor) {
      const record = await this.#record("auditorOf", known.id);
      if (record.encryptionKey === encryptionKey && record.active) return { auditorId: known.id, receipt: undefined };
    }
    const mined = await this.#consortium("admitAuditor", signer, encryptionKey);
    return { auditorId: this.#numberIn(mined, "AuditorAdmitted", "auditorId"), receipt: receiptOf(mined) };
  }

  /** Admin only: a suspended key can do nothing from the next block on; reinstating is the same with `false`. */
  async setSuspended(role: RoleName, id: number, suspended: boolean): Promise<Effect> {
    if ((await this.#isSuspended(role, id)) === suspended) return { receipt: undefined };
    const functionName = {
      member: "setMemberSuspended",
      validator: "setValidatorSuspended",
      auditor: "setAuditorSuspended",
    }[role];
    return { receipt: receiptOf(await this.#consortium(functionName, id, suspended)) };
  }

  /** This account's role and id in the registry, now. @throws ConfigError when it has none. */
  async ownRole(): Promise<{ role: RoleName; id: number }> {
    const { role, id } = records.shaped(
      records.participantSchema,
      "participantOf",
      await this.#consortiumView("participantOf", this.account),
    );
    const name = (Object.keys(ROLES) as RoleName[]).find((candidate) => ROLES[candidate] === role);
    if (name === undefined) {
      throw new ConfigError(`${this.account} is not the current key of an active participant of this consortium.`, {
        account: this.account,
      });
    }
    return { role: name, id };
  }

  /** Replaces this account's own keys. Rounds that are open keep the old ones. */
  async rotateKeys(keys: PublicKeys): Promise<Effect & { role: RoleName; id: number }> {
    const { role, id } = await this.ownRole();
    const functionName = { member: "rotateMemberKeys", validator: "rotateValidatorKeys", auditor: "rotateAuditorKeys" }[
      role
    ];
    const mined = await this.#consortium(functionName, keys.signer, keys.encryptionKey);
    return { role, id, receipt: receiptOf(mined) };
  }

  /** Whether an address was ever bound to an identity, and to which. */
  async identityOf(account: string): Promise<{ role: RoleName; id: number } | undefined> {
    const { role, id } = await this.#identityOf(account);
    const name = (Object.keys(ROLES) as RoleName[]).find((candidate) => ROLES[candidate] === role);
    return name === undefined ? undefined : { role: name, id };
  }

  /** Approval by a validator of the current set; with the q-th the change is made. */
  async approveValidatorChange(
    change: ValidatorChange,
  ): Promise<Effect & { executed: boolean; approvals: number; quorum: number }> {
    const keys = "add" in change ? change.add : undefined;
    const struct = {
      validatorId: "remove" in change ? change.remove : 0,
      signer: keys?.signer ?? ZERO_ADDRESS,
      encryptionKey: keys?.encryptionKey ?? ZERO_WORD,
    };
    const mined = await this.#consortium("approveValidatorChange", struct);
    const { approvals, quorum } = this.#eventIn(
      mined,
      CONSORTIUM,
      this.addresses.consortium,
      "ValidatorChangeApproved",
    );
    return {
      executed: this.#find(mined, CONSORTIUM, this.addresses.consortium, "ValidatorSetChanged") !== undefined,
      approvals: Number(approvals),
      quorum: Number(quorum),
      receipt: receiptOf(mined),
    };
  }

  /** Admin only. The pool must have been approved (`approve`). Not repeatable: each call opens a run. */
  async openRun(params: RunParams): Promise<{ run: bigint; genesisHead: Hex; paramsDigest: Hex; receipt: Receipt }> {
    const mined = await this.#call(TRAINING_LEDGER, this.addresses.trainingLedger, "openRun", params);
    const { run, genesisHead, paramsDigest } = this.#eventIn(
      mined,
      TRAINING_LEDGER,
      this.addresses.trainingLedger,
      "RunOpened",
    );
    return {
      run: run as bigint,
      genesisHead: genesisHead as Hex,
      paramsDigest: paramsDigest as Hex,
      receipt: receiptOf(mined),
    };
  }

  /** What an account has of a token, and what ShapleyRewards may take of it. */
  async tokenState(token: string, account = this.account): Promise<TokenState> {
    const view = async (functionName: string, ...args: unknown[]) =>
      (await this.endpoint.view({ codec: TOKEN, to: token, functionName, args })) as bigint;
    const [balance, allowance] = await Promise.all([
      view("balanceOf", account),
      view("allowance", account, this.addresses.shapleyRewards),
    ]);
    return { balance, allowance };
  }

  /** Lets ShapleyRewards take exactly `amount` from this account. */
  async approve(token: string, amount: bigint): Promise<Effect> {
    if ((await this.tokenState(token)).allowance === amount) return { receipt: undefined };
    return { receipt: receiptOf(await this.#call(TOKEN, token, "approve", this.addresses.shapleyRewards, amount)) };
  }

  /** Makes development tokens out of nothing. */
  async mint(token: string, to: string, amount: bigint): Promise<Effect> {
    return { receipt: receiptOf(await this.#call(TOKEN, token, "mint", to, amount)) };
  }

  /** Sends the chain's own coin, for gas. */
  async sendCoin(to: string, wei: bigint): Promise<Effect> {
    return { receipt: receiptOf(await this.#sender.send({ to, data: "0x", value: wei }, `transfer to ${to}`)) };
  }

  async #consortium(functionName: string, ...args: unknown[]): Promise<MinedTransaction> {
    return await this.#call(CONSORTIUM, this.addresses.consortium, functionName, ...args);
  }

  async #call(codec: ContractCodec, to: string, functionName: string, ...args: unknown[]): Promise<MinedTransaction> {
    return await this.#sender.call({ codec, to, functionName, args });
  }

  async #consortiumView(functionName: string, ...args: unknown[]): Promise<unknown> {
    return await this.endpoint.view({ codec: CONSORTIUM, to: this.addresses.consortium, functionName, args });
  }

  async #identityOf(account: string): Promise<{ role: number; id: number }> {
    return records.shaped(records.participantSchema, "identityOf", await this.#consortiumView("identityOf", account));
  }

  async #record(functionName: string, id: number) {
    return records.shaped(records.rosterRecordSchema, functionName, await this.#consortiumView(functionName, id));
  }

  async #isSuspended(role: RoleName, id: number): Promise<boolean> {
    if (role === "validator") return (await this.#consortiumView("validatorSuspended", id)) as boolean;
    return (await this.#record(role === "member" ? "memberOf" : "auditorOf", id)).suspended;
  }

  #find(
    mined: MinedTransaction,
    codec: ContractCodec,
    address: string,
    eventName: string,
  ): Record<string, unknown> | undefined {
    const topic = codec.eventTopic(eventName);
    const log = mined.logs.find(
      (entry) => entry.address.toLowerCase() === address.toLowerCase() && entry.topics[0] === topic,
    );
    return log === undefined ? undefined : codec.decodeEvent(eventName, log);
  }

  #eventIn(mined: MinedTransaction, codec: ContractCodec, address: string, eventName: string): Record<string, unknown> {
    const event = this.#find(mined, codec, address, eventName);
    if (event === undefined)
      throw new DecodeError(`Transaction ${mined.transaction} succeeded without the event ${codec.name}.${eventName}.`);
    return event;
  }

  #numberIn(mined: MinedTransaction, eventName: string, name: string): number {
    return this.#eventIn(mined, CONSORTIUM, this.addresses.consortium, eventName)[name] as number;
  }
}

const ZERO_ADDRESS = `0x${"00".repeat(20)}`;
const ZERO_WORD = `0x${"00".repeat(32)}`;

function receiptOf({ transaction, block, gasUsed }: MinedTransaction): Receipt {
  return { transaction, block, gasUsed };
}
