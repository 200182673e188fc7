// SPDX-License-Identifier: Apache-2.0
import { existsSync } from "node:fs";
import { afterEach, beforeEach } from "node:test";
import type { HardhatEthersSigner } from "@nomicfoundation/hardhat-ethers/types";
import { type BaseContract, type ContractTransactionReceipt, getCreateAddress, Wallet } from "ethers";
import { network } from "hardhat";
import { hashChain } from "../../../src/protocol/beacon.ts";
import { type Hex, toHex, utf8 } from "../../../src/protocol/bytes.ts";
import { keccak256 } from "../../../src/protocol/hash.ts";

export type Connection = Awaited<ReturnType<typeof network.connect>>;

/** A key of the federation: signs commitments itself, sends transactions through an unlocked account of the same address. */
export interface Party {
  readonly id: number;
  readonly wallet: Wallet;
  readonly account: HardhatEthersSigner;
  readonly encryptionKey: Hex;
}

/** The contracts on a chain of their own, with members, validators and a token. */
export interface World {
  readonly connection: Connection;
  readonly chainId: bigint;
  readonly admin: HardhatEthersSigner;
  readonly outsider: HardhatEthersSigner;
  readonly consortium: BaseContract;
  readonly ledger: BaseContract;
  readonly proof: BaseContract;
  readonly rewards: BaseContract;
  readonly token: BaseContract;
  readonly verifier: BaseContract;
  readonly addresses: {
    consortium: string;
    ledger: string;
    proof: string;
    rewards: string;
    token: string;
    verifier: string;
  };
  readonly members: Party[];
  readonly validators: Party[];
}

export interface WorldOptions {
  readonly members?: number;
  readonly validators?: number;
  readonly chainId?: number;
  readonly maxSamples?: number;
  readonly capacity?: number;
}

export const MAX_SAMPLES = 1000;
const RICH = `0x${(10n ** 24n).toString(16)}`;

/** 32 bytes named by a label: keys, digests and salts of tests. */
export function word(label: string): Hex {
  return toHex(keccak256(utf8(label)));
}

/** Deploys the four contracts with the addresses each needs of the others predicted from the deployer's nonce. */
export async function deployWorld(options: WorldOptions = {}): Promise<World> {
  if (!existsSync("artifacts/contracts")) {
    throw new Error("The contracts are not compiled. Run `npm run setup` (or `npx hardhat build`) first.");
  }
  const connection = await network.connect(
    options.chainId === undefined ? {} : { override: { chainId: options.chainId } },
  );
  const { ethers } = connection;
  const [admin, outsider] = await ethers.getSigners();
  if (admin === undefined || outsider === undefined) throw new Error("The in-process network has no accounts.");

  const validators = await parties(connection, "validator", options.validators ?? 4);
  const members = await parties(connection, "member", options.members ?? 5);
  const token = await ethers.deployContract("TestToken");
  const verifier = await ethers.deployContract("TransparentVerifier", [options.capacity ?? 8, true]);

  const nonce = await admin.getNonce();
  const predicted = (offset: number) => getCreateAddress({ from: admin.address, nonce: nonce + offset });
  const addresses = { consortium: predicted(0), ledger: predicted(1), proof: predicted(2), rewards: predicted(3) };
  const consortium = await ethers.deployContract("Consortium", [
    admin.address,
    validators.map(({ wallet, encryptionKey }) => ({ signer: wallet.address, encryptionKey })),
  ]);
  const ledger = await ethers.deployContract("TrainingLedger", [
    addresses.consortium,
    addresses.proof,
    addresses.rewards,
  ]);
  const proof = await ethers.deployContract("ProofOfTraining", [
    addresses.consortium,
    addresses.ledger,
    addresses.rewards,
  ]);
  const rewards = await ethers.deployContract("ShapleyRewards", [
    addresses.consortium,
    addresses.ledger,
    addresses.proof,
  ]);

  const world: World = {
    connection,
    chainId: BigInt(options.chainId ?? 31_337),
    admin,
    outsider,
    consortium,
    ledger,
    proof,
    rewards,
    token,
    verifier,
    addresses: { ...addresses, token: await token.getAddress(), verifier: await verifier.getAddress() },
    members,
    validators,
  };
  for (const member of members) {
    await send(admin, consortium, "admitMember", [
      member.wallet.address,
      member.encryptionKey,
      options.maxSamples ?? MAX_SAMPLES,
      `member ${member.id}`,
    ]);
  }
  return world;
}

/** Keys with ids from 1, funded and unlocked. */
export async function parties(connection: Connection, role: string, count: number, firstId = 1): Promise<Party[]> {
  const made: Party[] = [];
  for (let id = firstId; id < firstId + count; id++) {
    const wallet = new Wallet(word(`${role} ${id}`));
    await connection.provider.request({ method: "hardhat_setBalance", params: [wallet.address, RICH] });
    const account = await connection.ethers.getImpersonatedSigner(wallet.address);
    made.push({ id, wallet, account, encryptionKey: word(`${role} key ${id}`) });
  }
  return made;
}

/** Sends a transaction and returns its receipt; rejects with the revert. */
export async function send(
  from: HardhatEthersSigner,
  contract: BaseContract,
  name: string,
  args: readonly unknown[] = [],
): Promise<ContractTransactionReceipt> {
  // A fixed gas limit saves the estimation, which would run every transaction twice; 16 777 216 is the most that EIP-7825 allows.
  const response = await contract.connect(from).getFunction(name)(...args, { gasLimit: 16_000_000n });
  const receipt = await response.wait();
  if (receipt === null) throw new Error(`${name} left no receipt.`);
  return receipt;
}

/** Calls a view. Integers come back as bigints, structs as ethers results (names and indices). */
export async function read(
  contract: BaseContract,
  name: string,
  args: readonly unknown[] = [],
  from?: HardhatEthersSigner,
) {
  return (from === undefined ? contract : contract.connect(from)).getFunction(name).staticCall(...args);
}

export async function blockNumber(world: { connection: Connection }): Promise<number> {
  return world.connection.ethers.provider.getBlockNumber();
}

/** Mines empty blocks until the *next* transaction lands in `block`. */
export async function advanceTo(world: { connection: Connection }, block: number | bigint): Promise<void> {
  const missing = Number(block) - 1 - (await blockNumber(world));
  if (missing < 0) throw new Error(`Block ${block} has passed.`);
  if (missing > 0)
    await world.connection.provider.request({ method: "hardhat_mine", params: [`0x${missing.toString(16)}`] });
}

/** Several transactions in one block, in order. Rejects with the first revert. */
export async function inOneBlock(
  world: World,
  transactions: readonly (() => Promise<unknown>)[],
): Promise<PromiseSettledResult<unknown>[]> {
  const { provider } = world.connection;
  await provider.request({ method: "evm_setAutomine", params: [false] });
  try {
    const running: Promise<unknown>[] = [];
    for (const transaction of transactions) {
      running.push(transaction());
      // The node orders by arrival, so one is let in before the next.
      await pending(world, running.length);
    }
    await provider.request({ method: "hardhat_mine", params: ["0x1"] });
    return await Promise.allSettled(running);
  } finally {
    await provider.request({ method: "evm_setAutomine", params: [true] });
  }
}

async function pending(world: World, count: number): Promise<void> {
  for (;;) {
    const block = await world.connection.ethers.provider.send("eth_getBlockByNumber", ["pending", false]);
    if (block.transactions.length >= count) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Hash chain of a validator for a run: element 0 is registered. */
export function beaconChain(validator: Party, run: bigint): Hex[] {
  return hashChain(utf8(`secret of validator ${validator.id}`), run, 40);
}

/** Runs every test of a suite from the state the world is in when the suite starts. Call inside `describe`, after the world is deployed. */
export function isolate(world: () => World): void {
  let snapshot: string;
  beforeEach(async () => {
    snapshot = await world().connection.ethers.provider.send("evm_snapshot", []);
  });
  afterEach(async () => {
    await world().connection.ethers.provider.send("evm_revert", [snapshot]);
  });
}

/** An account of any address, contracts included, with coin to send transactions. */
export async function impersonate(world: World, address: string): Promise<HardhatEthersSigner> {
  await world.connection.provider.request({ method: "hardhat_setBalance", params: [address, RICH] });
  return world.connection.ethers.getImpersonatedSigner(address);
}
