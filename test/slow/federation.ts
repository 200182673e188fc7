// SPDX-License-Identifier: Apache-2.0
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CallGas, gasOfCalls } from "../../src/chain/traffic.ts";
import type { LedgerReader, RoundRecord, Standing } from "../../src/protocol/ledger.ts";
import { SILENT } from "../../src/protocol/logger.ts";
import type { FederationFiles } from "../../src/simulation/demoFederation.ts";
import { asProcess, inProcess, type Participant } from "../../src/simulation/participants.ts";
import { type RpcCall, startRpcProxy } from "../../src/simulation/rpcProxy.ts";
import { openFederation } from "../support/federation.ts";

const NODES = 4;
const VALIDATORS = 4;

/** Sees what a participant says to its chain, and what the chain answers. */
export interface Interference {
  before?(call: RpcCall): boolean;
  after?(call: RpcCall, result: unknown): unknown;
}

/** The first member and the first validator, each a process of its own that speaks with the chain through a proxy. */
export interface Victims {
  readonly node: Participant;
  readonly validator: Participant;
  /** Starts a participant again on the same files and the same proxy. */
  restart(victim: Participant): void;
}

/** What a run leaves behind. */
export interface RunTraces {
  readonly rounds: readonly (RoundRecord | undefined)[];
  /** In order of the members. */
  readonly standings: readonly Standing[];
  readonly calls: readonly CallGas[];
  /** Transactions of the first member and of the first validator that the chain has taken, failed ones too. */
  readonly nonces: { readonly node: number; readonly validator: number };
  readonly accounts: { readonly node: string; readonly validator: string };
  /** Error feedback of the first member, as it lies on its disk. */
  readonly residual: Uint8Array;
}

/**
 * A whole run of four honest members and four honest validators with the digits. All that is computed follows from fixed seeds, so that two
 * runs differ only by what is done to the victims.
 *
 * @param interfere what the victims' proxies do
 */
export async function runFederation(
  rounds: number,
  interfere: (victims: Victims, ledger: LedgerReader) => { node: Interference; validator: Interference },
): Promise<RunTraces> {
  await using resources = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "foedus-resume-"));
  resources.defer(() => rm(folder, { recursive: true, force: true }));
  const { chain, deployment, files, endpoint, ledger, run } = await openFederation(
    { folder, seed: "resume", members: NODES, validators: VALIDATORS, rounds, auditor: false, blockMs: 200 },
    resources,
  );

  const participants = participantsOf(files);
  resources.defer(async () => void (await Promise.all(participants.map((participant) => participant.kill()))));
  const [node, validator] = [participants[0] as Participant, participants[NODES] as Participant];
  const urls = new Map<Participant, string>();
  const restart = (victim: Participant): void => victim.start({ rpcUrl: urls.get(victim) as string });
  const interference = interfere({ node, validator, restart }, ledger);
  for (const [victim, how] of [
    [node, interference.node],
    [validator, interference.validator],
  ] as const) {
    const proxy = await startRpcProxy(chain.rpcUrl, how);
    resources.defer(() => proxy.close());
    urls.set(victim, proxy.url);
  }
  for (const participant of participants) {
    if (urls.has(participant)) restart(participant);
    else participant.start();
  }
  await Promise.all(participants.map(({ finished }) => finished));

  const { lastRound } = await ledger.runView(run);
  const nonceOf = async (address: string): Promise<number> =>
    Number(await endpoint.rpc.request("eth_getTransactionCount", [address, "latest"]));
  const accounts = {
    node: files.members[0]?.keys.address as string,
    validator: files.validators[0]?.keys.address as string,
  };
  return {
    rounds: await Promise.all(Array.from({ length: lastRound }, (_, i) => ledger.recordOf(run, i + 1))),
    standings: await Promise.all(files.members.map((_, i) => ledger.standingOf(run, i + 1))),
    calls: await gasOfCalls(endpoint, deployment.addresses, deployment.blocks.first, await ledger.blockNumber()),
    nonces: { node: await nonceOf(accounts.node), validator: await nonceOf(accounts.validator) },
    accounts,
    residual: await readFile(join(files.members[0]?.folder as string, "state", `run-${run}`, "residual.bin")),
  };
}

/** Members first, then validators; the first of each is a process. */
function participantsOf(files: FederationFiles): Participant[] {
  return [
    ...files.members.map(({ name, configFile }) => ({ name, configFile, role: "node" as const })),
    ...files.validators.map(({ name, configFile }) => ({ name, configFile, role: "validator" as const })),
  ].map((plan, i) => (i === 0 || i === NODES ? asProcess(plan, () => {}) : inProcess(plan, SILENT)));
}
