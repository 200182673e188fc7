// SPDX-License-Identifier: Apache-2.0
import { openKeyFile, type ParticipantKeys, readPassphrase } from "../chain/keys.ts";
import { connectLedger } from "../chain/ledgerClient.ts";
import type { RpcLedgerWriter } from "../chain/ledgerWriter.ts";
import type { ContentStore } from "../protocol/contentStore.ts";
import { ConfigError } from "../protocol/errors.ts";
import type { LedgerReader } from "../protocol/ledger.ts";
import type { Logger } from "../protocol/logger.ts";
import type { RunContext } from "../round/runContext.ts";
import { openStore } from "../storage/openStore.ts";
import type { StoreConfig } from "../storage/storeConfig.ts";
import { lockFolder } from "./lockFolder.ts";
import { waitForRun } from "./waitForRun.ts";

/** What nodes and validators open alike. */
export interface ParticipantConfig {
  readonly rpc: string;
  readonly deployment: string;
  readonly keyFile: string;
  readonly passphrase: { readonly env: string; readonly file?: string | undefined };
  readonly run: bigint;
  readonly state: string;
  readonly store: StoreConfig;
  readonly finalityDepth: number;
  readonly pollingMs?: number | undefined;
}

/** A log to write to and the signal that ends everything that is opened with it. */
export interface Surroundings {
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

export interface Participant<Role> {
  readonly keys: ParticipantKeys;
  readonly ledger: RpcLedgerWriter;
  readonly store: ContentStore;
  /** What `requireRole` found. */
  readonly role: Role;
  /** The run, agreed between chain and recipe. */
  readonly run: RunContext;
}

/**
 * Keys, ledger, store and run of one participant. What was opened is closed with `resources`, also when a later step fails.
 *
 * @param requireRole judges the key against the registry, before any waiting
 * @throws ConfigError for files, keys and addresses; ChainUnreachable; the signal's reason when stopped while waiting for the run.
 */
export async function openParticipant<Role>(
  config: ParticipantConfig,
  { logger, signal }: Surroundings,
  resources: AsyncDisposableStack,
  requireRole: (ledger: LedgerReader, keys: ParticipantKeys) => Promise<Role>,
): Promise<Participant<Role>> {
  if (config.store.kind === "gateway") {
    throw new ConfigError(
      "A participant serves what it commits, and a gateway only reads: write store: { kind: helia, … }.",
    );
  }
  resources.defer(await lockFolder(config.state));
  const { env: variable, file } = config.passphrase;
  const keys = await openKeyFile(config.keyFile, await readPassphrase({ variable, file }));
  const { rpc: rpcUrl, deployment: deploymentFile, finalityDepth, pollingMs } = config;
  const ledger = await connectLedger({
    rpcUrl,
    deploymentFile,
    privateKey: keys.signerPrivateKey,
    finalityDepth,
    logger,
    ...(pollingMs === undefined ? {} : { pollingMs }),
  });
  resources.adopt(ledger, (client) => client.close());
  const role = await requireRole(ledger, keys);
  const store = await openStore(config.store, {
    onProblem: ({ severity, message, values, cause }) =>
      logger[severity]({ ...values, ...(cause === undefined ? {} : { cause: String(cause) }) }, message),
  });
  resources.adopt(store, (opened) => opened.close());
  logger.info(
    { account: ledger.account, chain: ledger.chainId.toString(), ...addressesOf(store) },
    "connected to chain and store",
  );
  return { keys, ledger, store, role, run: await waitForRun(ledger, store, config.run, { logger, signal }) };
}

/** What others write into their `peers`. */
function addressesOf(store: ContentStore): { storeAddresses?: string[] } {
  const { addresses } = store as { addresses?: () => string[] };
  return addresses === undefined ? {} : { storeAddresses: addresses.call(store) };
}
