// SPDX-License-Identifier: Apache-2.0
import { isLinear } from "../aggregation/isLinear.ts";
import type { AgreedModel } from "../learning/model.ts";
import { genesisHead } from "../protocol/attestation.ts";
import { SCORING } from "../protocol/attestedScores.ts";
import type { Hex } from "../protocol/bytes.ts";
import { ConfigError, DecodeError } from "../protocol/errors.ts";
import type { FinalisedRecord, RoundView, RunView } from "../protocol/ledger.ts";
import type { ModelConfig } from "../protocol/recipe/modelConfig.ts";
import type { Recipe } from "../protocol/recipe.ts";
import { paramsDigest } from "../protocol/runParams.ts";
import { stateOf } from "../protocol/schedule.ts";
import { fetchCheckpoint } from "../round/fetchCheckpoint.ts";
import { loadHeldOut } from "../round/loadHeldOut.ts";
import { loadRunContext, type RunContext } from "../round/runContext.ts";
import type { Scorer } from "../round/scoreUpdates.ts";
import type { AuditSources, Replay } from "./auditContext.ts";
import { checkAttestedScores } from "./checks/checkAttestedScores.ts";
import { checkSettlement, checkStandings } from "./checks/checkSettlement.ts";
import { Standings } from "./ledgerOfStandings.ts";
import { FalseLink, type Link, requireEqual } from "./links.ts";
import { type ReplayedRound, replayFailedRound, replayRound } from "./replayRound.ts";

export interface AuditFailure {
  /** null for what belongs to no single round: parameters, recipe, reputations, settlement. */
  readonly round: number | null;
  readonly link: Link;
  readonly detail: string;
}

export interface AuditReport {
  readonly ok: boolean;
  readonly run: string;
  /** Finalised rounds replayed, the closing round not counted. */
  readonly rounds: number;
  readonly closingRound: boolean;
  readonly failedRounds: readonly { readonly round: number; readonly failure: string }[];
  /** Last head replayed. */
  readonly head: Hex;
  /** Whether the head was held against one the auditor brought. */
  readonly headGiven: boolean;
  /** Rounds whose losses were opened here; for the others the quorum and the proof stand for L. */
  readonly roundsWithOpenedLosses: number;
  /** Attested scores are the validators' word: checked for what they committed to, and not recomputed. */
  readonly scoring: Recipe["scoring"]["mode"];
  readonly settled: boolean;
  /** Whether every model is an exact linear function of the accepted updates (`isLinear`); null where the recipe could not be read. */
  readonly linear: boolean | null;
  readonly checks: number;
  readonly failures: readonly AuditFailure[];
}

export interface AuditOptions {
  readonly run: bigint;
  /** Only this round (earlier ones are replayed as far as its inputs need). Default: all and the settlement. */
  readonly round?: number;
  /** A head obtained independently; the replayed run must end in it. */
  readonly head?: Hex;
  /** A model file in the auditor's hands: must be the checkpoint of a replayed round. */
  readonly modelRoot?: Hex;
  /** The agreed engine for a model. */
  readonly loadModel: (config: ModelConfig, engine: Recipe["scoring"]["engine"]) => Promise<AgreedModel>;
  readonly onRound?: (done: number, total: number, round: ReplayedRound | undefined) => void;
}

/**
 * Replays a run from chain and store alone, naming every false link. It trusts neither: the endpoint's records are recomputed, the store's
 * bytes re-hashed. What one endpoint can still do is invent a whole history, which only a head from elsewhere exposes.
 */
export async function auditRun(sources: AuditSources, options: AuditOptions): Promise<AuditReport> {
  const findings = new Findings();
  const run = await sources.ledger.runView(options.run);
  const replay = await findings.guard(null, () => beginReplay(sources, run, options));
  const history: History = { replayed: [], failedRounds: [] };
  let settled = false;
  if (replay !== undefined) {
    await replayRounds(replay, run, options, findings, history);
    await checkEnd(replay, run, options, findings, history);
    if (options.round === undefined)
      settled = (await findings.guard(null, () => checkSettlement(sources.ledger, run, replay.standings))) === true;
  }
  const models = history.replayed.filter(({ closing }) => !closing);
  return {
    ok: findings.failures.length === 0,
    run: options.run.toString(),
    rounds: models.length,
    closingRound: history.replayed.length > models.length,
    failedRounds: history.failedRounds,
    head: replay?.parent.head ?? run.head,
    headGiven: options.head !== undefined,
    scoring: replay?.recipe.scoring.mode ?? (run.params.scoring === SCORING.attested ? "attested" : "exact"),
    roundsWithOpenedLosses: history.replayed.filter(({ lossesOpened }) => lossesOpened).length,
    settled,
    linear: replay === undefined ? null : isLinear(replay.recipe),
    checks: findings.checks,
    failures: findings.failures,
  };
}

/** Codes of errors that say nothing about the evidence. */
const UNREACHABLE: ReadonlySet<unknown> = new Set(["STORE_UNREACHABLE", "CHAIN_UNREACHABLE"]);

/** What an audit has found so far. */
class Findings {
  readonly failures: AuditFailure[] = [];
  checks = 0;

  /** Runs one check; a false link is written down and gives undefined. What is no statement about the evidence (nobody answers) goes on to the caller. */
  async guard<T>(round: number | null, check: () => Promise<T>): Promise<T | undefined> {
    this.checks++;
    try {
      return await check();
    } catch (error) {
      // An endpoint whose answers cannot be decoded is not out of reach: it said something false.
      if (error instanceof DecodeError) this.add(round, new FalseLink("records", error.message, error));
      else if (error instanceof FalseLink) this.add(round, error);
      else throw error;
      return undefined;
    }
  }

  add(round: number | null, { link, message: detail, cause }: FalseLink): void {
    if (UNREACHABLE.has((cause as { code?: unknown } | undefined)?.code)) throw cause;
    this.failures.push({ round, link, detail });
  }
}

interface History {
  readonly replayed: ReplayedRound[];
  readonly failedRounds: { round: number; failure: string }[];
}

async function replayRounds(
  replay: Replay,
  run: RunView,
  options: AuditOptions,
  findings: Findings,
  history: History,
): Promise<void> {
  const { ledger } = replay.sources;
  const last = options.round ?? run.lastRound;
  if (last > run.lastRound)
    throw new ConfigError(`Round ${last} was asked for; run ${run.run} has ${run.lastRound}.`, {
      round: last,
      lastRound: run.lastRound,
    });
  const voided = new Set(await findings.guard(null, () => ledger.voidedRounds(run.run)));
  for (let round = 1; round <= last; round++) {
    await findings.guard(round, () => replayOne(replay, round, voided.has(round), findings, history));
    options.onRound?.(
      round,
      last,
      history.replayed.find((replayed) => replayed.round === round),
    );
  }
}

async function replayOne(
  replay: Replay,
  round: number,
  voided: boolean,
  findings: Findings,
  history: History,
): Promise<void> {
  const { ledger } = replay.sources;
  const view = await ledger.roundView(replay.run, round);
  const record = await ledger.finalised(replay.run, round);
  if (record === undefined) {
    const { phase, failure } = stateOf(view.facts, (await ledger.blockNumber()) + 1);
    if (phase === "finalised")
      throw new FalseLink("records", `The contract says that round ${round} is final; its record is missing.`);
    if (failure === undefined) return;
    history.failedRounds.push({ round, failure });
    await replayFailedRound(replay, view);
    return;
  }
  const report = (failure: FalseLink | undefined): void => {
    findings.checks++;
    if (failure !== undefined) findings.add(round, failure);
  };
  const done = await findings.guard(round, () => replayRound(replay, view, record, report));
  const scores =
    replay.recipe.scoring.mode === "attested" && !view.closing
      ? await bookedScoresOf(replay, view, record, voided, report)
      : record.finalisation.scores;
  replay.standings.book(record, view.closing, replay.params.alphaQ16, voided ? [] : scores);
  if (done === undefined) await continueFromRecord(replay, record.result, record.head);
  else history.replayed.push(done);
}

/** Scores of the accepted updates that count in an attested run, after checking where they come from. */
async function bookedScoresOf(
  replay: Replay,
  view: RoundView,
  record: FinalisedRecord,
  voided: boolean,
  report: (failure: FalseLink | undefined) => void,
): Promise<readonly number[]> {
  const { ledger } = replay.sources;
  const [set, settlement] = await Promise.all([
    ledger.validatorSet(view.validatorSetVersion),
    ledger.settlement(replay.run),
  ]);
  const context = { chainId: replay.chainId, rewards: replay.addresses.shapleyRewards };
  const now = { voided, settled: settlement !== undefined };
  return checkAttestedScores(ledger, context, replay.params.challengeBlocks, view, set, record, now, report);
}

/** What is true of the run as a whole, or of the last round asked for. */
async function checkEnd(
  replay: Replay,
  run: RunView,
  options: AuditOptions,
  findings: Findings,
  { replayed }: History,
): Promise<void> {
  const { head, modelRoot, round } = options;
  if (round === undefined) {
    await findings.guard(null, async () => requireEqual("head", "The run's head", run.head, replay.parent.head));
    await findings.guard(null, () => checkStandings(replay.sources.ledger, run.run, replay.standings));
  }
  if (head !== undefined) {
    await findings.guard(round ?? replayed.at(-1)?.round ?? null, async () =>
      requireEqual("head", "The last replayed head", replay.parent.head, head),
    );
  }
  if (modelRoot !== undefined) await findings.guard(null, async () => requireModel(replayed, run, modelRoot));
}

/** Parameters, genesis, recipe, held-out set, initial checkpoint. */
async function beginReplay(sources: AuditSources, run: RunView, options: AuditOptions): Promise<Replay> {
  requireEqual("parameters", "The digest of the run's parameters", run.paramsDigest, paramsDigest(run.params));
  const context = await loadRunContext(sources.ledger, sources.store, run.run, {
    timeoutMs: sources.fetchTimeoutMs,
  }).catch((cause: unknown) => {
    throw new FalseLink("recipe", `The recipe cannot be read: ${messageOf(cause)}`, cause);
  });
  const { params } = context;
  // Read a second time with the recipe; an endpoint need not say the same twice.
  requireEqual(
    "parameters",
    "The digest of the parameters that belong to the recipe",
    paramsDigest(params),
    run.paramsDigest,
  );
  const genesis = await sources.ledger.recordOf(run.run, 0);
  const head = genesisHead({
    chainId: context.chainId,
    ledger: context.addresses.trainingLedger,
    run: run.run,
    paramsDigest: run.paramsDigest,
    ...params,
  });
  requireEqual("genesis", "The genesis head", genesis?.head, head);
  const initial = { checkpointCid: params.initialCheckpointCid, modelRoot: params.initialModelRoot };
  const model = await fetchCheckpoint(sources.store, initial, context, {
    timeoutMs: sources.fetchTimeoutMs,
  }).catch((cause: unknown) => {
    throw new FalseLink("genesis", `The initial checkpoint cannot be read: ${messageOf(cause)}`, cause);
  });
  return {
    ...context,
    sources,
    scorer: await scorerOf(sources, context, options),
    tips: new Map(),
    standings: new Standings(),
    beacon: head,
    parent: { head, ...initial, model },
  };
}

async function scorerOf(
  { store, fetchTimeoutMs: timeoutMs }: AuditSources,
  { recipe: { model, scoring } }: RunContext,
  { loadModel }: AuditOptions,
): Promise<Scorer | undefined> {
  if (scoring.mode === "attested") return undefined;
  const heldOut = await loadHeldOut(store, scoring, { timeoutMs }).catch((cause: unknown) => {
    throw new FalseLink("heldOut", `The held-out set cannot be used: ${messageOf(cause)}`, cause);
  });
  return { model: await loadModel(model, scoring.engine), heldOut };
}

/** After a round that could not be replayed, later rounds are judged from its recorded checkpoint, so that one lie is not reported as many. */
async function continueFromRecord(
  replay: Replay,
  result: { modelRoot: Hex; checkpointCid: Hex },
  head: Hex,
): Promise<void> {
  const { modelRoot, checkpointCid } = result;
  const model = await fetchCheckpoint(replay.sources.store, result, replay, {
    timeoutMs: replay.sources.fetchTimeoutMs,
  }).catch(() => replay.parent.model);
  replay.parent = { head, modelRoot, checkpointCid, model };
}

function requireModel(replayed: readonly ReplayedRound[], run: RunView, modelRoot: Hex): void {
  const roots = [run.params.initialModelRoot, ...replayed.map(({ record }) => record.result.modelRoot)];
  if (!roots.includes(modelRoot))
    throw new FalseLink("checkpoint", `The given model has root ${modelRoot}, which is no checkpoint of this run.`);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
