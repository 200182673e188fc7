// SPDX-License-Identifier: Apache-2.0
import { readFile } from "node:fs/promises";
import type { AuditSources } from "../audit/auditContext.ts";
import { type AuditReport, auditRun } from "../audit/auditRun.ts";
import type { ReplayedRound } from "../audit/replayRound.ts";
import { openKeyFile, readPassphrase } from "../chain/keys.ts";
import type { RpcLedgerReader } from "../chain/ledgerReader.ts";
import { recoverSigner } from "../chain/recoverSigner.ts";
import { createAgreedEngine } from "../learning/engines/agreed.ts";
import { type Hex, toHex } from "../protocol/bytes.ts";
import { modelRoot } from "../protocol/checkpoint.ts";
import { ConfigError } from "../protocol/errors.ts";
import { verifyReportedLoss } from "../proving/verifyReportedLoss.ts";
import { openStore } from "../storage/openStore.ts";
import { parseStoreUrl } from "../storage/storeConfig.ts";
import { agreeOnHead } from "./agreeOnHead.ts";
import { openLedger } from "./openLedger.ts";

export interface AuditRequest {
  /** One endpoint, or several that must agree. */
  readonly rpc: readonly string[];
  readonly store: string;
  readonly deployment?: string | undefined;
  readonly ledger?: string | undefined;
  readonly run: bigint;
  readonly round?: number | undefined;
  readonly head?: Hex | undefined;
  readonly key?: string | undefined;
  readonly passphraseFile?: string | undefined;
  readonly model?: string | undefined;
  readonly artifacts?: string | undefined;
  readonly timeoutMs: number;
  readonly onProgress?: ((text: string) => void) | undefined;
}

/** A round as the audit went through it. */
export interface AuditedRound {
  readonly round: number;
  readonly closing: boolean;
  /** False where the replay could not be completed. */
  readonly replayed: boolean;
  readonly lossesOpened: boolean;
  readonly accepted: number;
}

/** Against what the head was held. */
export type HeadSource = "given" | "second endpoint" | "none";

export interface AuditOutcome {
  readonly report: AuditReport;
  readonly chainId: bigint;
  readonly rounds: readonly AuditedRound[];
  readonly headSource: HeadSource;
}

/**
 * Opens what an audit needs, runs it and closes everything.
 *
 * @throws ConfigError for wrong options; FoedusError ENDPOINTS_DISAGREE; ChainUnreachable and StoreUnreachable, also when the store fails in
 *   the middle, since missing answers are no evidence of a lie.
 */
export async function runAudit(request: AuditRequest): Promise<AuditOutcome> {
  await using resources = new AsyncDisposableStack();
  const ledgers: RpcLedgerReader[] = [];
  for (const rpc of request.rpc)
    ledgers.push(resources.adopt(await openLedger({ ...request, rpc }), (ledger) => ledger.close()));
  const [ledger, ...others] = ledgers;
  if (ledger === undefined) throw new ConfigError("An audit needs an endpoint: --rpc URL.");
  await requireRound(ledger, request);
  const second = await agreeOnHead([ledger, ...others], request);
  const head = request.head ?? second;

  const store = resources.adopt(await openStore(parseStoreUrl(request.store)), (opened) => opened.close());
  const sources: AuditSources = {
    ledger,
    store,
    recoverSigner,
    verifyLossProof: (statement) => verifyReportedLoss(statement, { artifactsDirectory: request.artifacts }),
    fetchTimeoutMs: request.timeoutMs,
    ...(await keyOf(request)),
  };
  const rounds: AuditedRound[] = [];
  const model = await modelOf(request);
  const report = await auditRun(sources, {
    run: request.run,
    ...(request.round === undefined ? {} : { round: request.round }),
    ...(head === undefined ? {} : { head }),
    ...(model === undefined ? {} : { modelRoot: model }),
    loadModel: async (config, agreed) => {
      const engine = await createAgreedEngine(agreed);
      resources.defer(() => engine.dispose());
      return engine.load(config);
    },
    onRound: (round, total, replayed) => {
      rounds.push(auditedRound(round, replayed));
      request.onProgress?.(round === total ? "" : `replayed round ${round} of ${total}`);
    },
  });
  return {
    report,
    chainId: ledger.chainId,
    rounds,
    headSource: request.head !== undefined ? "given" : second !== undefined ? "second endpoint" : "none",
  };
}

function auditedRound(round: number, replayed: ReplayedRound | undefined): AuditedRound {
  if (replayed === undefined) return { round, closing: false, replayed: false, lossesOpened: false, accepted: 0 };
  const { decision, lossesOpened } = replayed;
  return {
    round,
    closing: decision.checkpoint === undefined,
    replayed: true,
    lossesOpened,
    accepted: decision.scores.length,
  };
}

async function requireRound(ledger: RpcLedgerReader, { run, round }: AuditRequest): Promise<void> {
  const { lastRound } = await ledger.runView(run);
  if (round !== undefined && round > lastRound)
    throw new ConfigError(`Run ${run} has ${lastRound} rounds so far; choose --round among them.`, { run, lastRound });
}

async function keyOf({ key: file, passphraseFile }: AuditRequest): Promise<Pick<AuditSources, "key">> {
  if (file === undefined) return {};
  const keys = await openKeyFile(file, await readPassphrase({ file: passphraseFile }));
  return { key: { publicKey: toHex(keys.encryptionPublicKey), privateKey: keys.encryptionPrivateKey } };
}

async function modelOf({ model: file }: AuditRequest): Promise<Hex | undefined> {
  if (file === undefined) return undefined;
  try {
    return toHex(modelRoot(new Uint8Array(await readFile(file))));
  } catch (cause) {
    throw new ConfigError(
      `The model file ${file} cannot be read (${(cause as Error).message}). Correct --model.`,
      { file },
      cause,
    );
  }
}
