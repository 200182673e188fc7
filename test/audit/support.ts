// SPDX-License-Identifier: Apache-2.0
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AuditSources } from "../../src/audit/auditContext.ts";
import { type AuditOptions, type AuditReport, auditRun } from "../../src/audit/auditRun.ts";
import { recoverSigner } from "../../src/chain/recoverSigner.ts";
import { createAgreedEngine } from "../../src/learning/engines/agreed.ts";
import { toHex } from "../../src/protocol/bytes.ts";
import type { ContentStore } from "../../src/protocol/contentStore.ts";
import type { LedgerReader } from "../../src/protocol/ledger.ts";
import { type Logger, SILENT } from "../../src/protocol/logger.ts";
import { verifyReportedLoss } from "../../src/proving/verifyReportedLoss.ts";
import { loadRunContext } from "../../src/round/runContext.ts";
import { decorate } from "../../src/simulation/decorate.ts";
import { demoRecipe } from "../../src/simulation/demoRecipe.ts";
import { inProcess } from "../../src/simulation/participants.ts";
import { openStore } from "../../src/storage/openStore.ts";
import { type FederationPlan, type OpenedFederation, openFederation } from "../support/federation.ts";

/** A run that is over, with the chain it is recorded on and a store that has every object of it. */
export interface FinishedRun {
  readonly run: bigint;
  readonly ledger: LedgerReader;
  readonly store: ContentStore;
  /** Where each member's files lie, in order. */
  readonly memberFolders: readonly string[];
  /** The auditor's key, for which every loss was sealed. */
  readonly key: NonNullable<AuditSources["key"]>;
  audit(sources?: Partial<Changes>, options?: Partial<AuditOptions>): Promise<AuditReport>;
}

/** What stands between an auditor and the evidence. */
export interface Changes {
  readonly ledger: LedgerReader;
  readonly store: ContentStore;
  /** null: the auditor has no key. */
  readonly key: AuditSources["key"] | null;
}

/** Coalitions valued by the rule itself. */
export const BY_RULE = { ...demoRecipe(64, 10).scoring, coalitions: "rule" } as const;

/** FedAda²: an adaptive server, and members whose AdaGrad starts anew every round. */
const RECIPE = {
  scoring: BY_RULE,
  serverOptimiser: { name: "fedadam", learningRate: 0.02, beta1: 0.9, beta2: 0.99, tau: 0.001 },
  training: {
    localSteps: 80,
    batchSize: 20,
    learningRate: 0.01,
    optimiser: "adagrad",
    epsilon: 0.001,
    initialAccumulator: 1e-4,
  },
} as const;

/** A federation of five members and four validators with a run of two rounds, before anybody starts. */
export async function openAuditedRun(
  resources: AsyncDisposableStack,
  plan: Partial<FederationPlan> = {},
): Promise<OpenedFederation> {
  const folder = await mkdtemp(join(tmpdir(), "foedus-audit-"));
  resources.defer(() => rm(folder, { recursive: true, force: true }));
  return openFederation(
    { folder, seed: "audit", members: 5, validators: 4, rounds: 2, auditor: true, blockMs: 100, ...plan },
    resources,
  );
}

/**
 * A whole run: two rounds, the closing round and the settlement. Unless told otherwise its model moves by a server optimiser, whose state every
 * checkpoint holds.
 *
 * @param prepare changes files before anybody starts, and gives the log of the members.
 */
export async function finishRun(
  resources: AsyncDisposableStack,
  plan: Partial<FederationPlan> = { recipe: RECIPE },
  prepare: (opened: OpenedFederation) => Promise<Logger> = async () => SILENT,
): Promise<FinishedRun> {
  const opened = await openAuditedRun(resources, plan);
  const { files } = opened;
  const logger = await prepare(opened);
  const participants = [
    ...files.members.map(({ name, configFile }) => inProcess({ name, configFile, role: "node" }, logger)),
    ...files.validators.map(({ name, configFile }) => inProcess({ name, configFile, role: "validator" }, SILENT)),
  ];
  try {
    for (const participant of participants) participant.start();
    await Promise.all(participants.map(({ finished }) => finished));
  } finally {
    await Promise.all(participants.map((participant) => participant.kill()));
  }
  return auditorOf(opened, resources);
}

/** What an auditor of a finished run works with, its chain and store asked no question twice. */
export async function auditorOf(
  { files, run, ledger }: OpenedFederation,
  resources: AsyncDisposableStack,
): Promise<FinishedRun> {
  // A validator has fetched or made every object that the run names; its folder is a store of all the evidence.
  const store = await openStore({
    kind: "helia",
    folder: join(files.validators[0]?.folder as string, "store"),
    listen: [],
    peers: [],
    swarmKeyFile: files.swarmKeyFile,
  });
  resources.defer(() => store.close());
  const { recipe } = await loadRunContext(ledger, store, run);
  const engine = await createAgreedEngine(recipe.scoring.engine);
  resources.defer(() => engine.dispose());
  const model = await engine.load(recipe.model);
  const key = { publicKey: toHex(files.auditor.encryptionPublicKey), privateKey: files.auditor.encryptionPrivateKey };
  const fixed = remembering(ledger);
  const verified = new Map<string, Promise<boolean>>();
  return {
    run,
    ledger: fixed,
    store,
    memberFolders: files.members.map(({ folder }) => folder),
    key,
    audit: (changes = {}, options = {}) => {
      const own = changes.key === undefined ? key : changes.key;
      return auditRun(
        {
          ledger: changes.ledger ?? fixed,
          store: changes.store ?? store,
          recoverSigner,
          // Asked once for each statement: a damaged one is another statement.
          verifyLossProof: (statement) => remember(verified, describe(statement), () => verifyReportedLoss(statement)),
          fetchTimeoutMs: 1500,
          ...(own === null ? {} : { key: own }),
        },
        { run, loadModel: () => Promise.resolve(model), ...options },
      );
    },
  };
}

/** Nothing is sent any more, so the chain is asked each question once for all audits of the file. */
function remembering(ledger: LedgerReader): LedgerReader {
  const answers = new Map<string, Promise<unknown>>();
  return new Proxy(ledger, {
    get(original, name) {
      const value = Reflect.get(original, name, original) as unknown;
      if (typeof value !== "function") return value;
      return (...args: unknown[]) =>
        remember(answers, `${String(name)}(${describe(args)})`, () => value.apply(original, args) as Promise<unknown>);
    },
  });
}

function remember<T>(answers: Map<string, Promise<T>>, question: string, ask: () => Promise<T>): Promise<T> {
  const answer = answers.get(question) ?? ask();
  answers.set(question, answer);
  return answer;
}

function describe(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => (typeof part === "bigint" ? `${part}n` : part));
}

/** `ledger` that changes what one of its methods answers; where `only` is given, to the questions that it picks. */
export function answering<M extends keyof LedgerReader>(
  ledger: LedgerReader,
  method: M,
  change: (answer: Answer<M>) => Answer<M>,
  only: (...args: never[]) => boolean = () => true,
): LedgerReader {
  const honest = ledger[method] as (...args: unknown[]) => Promise<Answer<M>>;
  const changed = async (...args: unknown[]): Promise<Answer<M>> => {
    const answer = await honest(...args);
    return (only as (...args: unknown[]) => boolean)(...args) ? change(answer) : answer;
  };
  return decorate(ledger, { [method]: changed } as Partial<LedgerReader>);
}

/** What a method of the reader answers. */
export type Answer<M extends keyof LedgerReader> = LedgerReader[M] extends (...args: never[]) => Promise<infer R>
  ? R
  : never;
