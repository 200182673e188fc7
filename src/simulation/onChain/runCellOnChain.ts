// SPDX-License-Identifier: Apache-2.0
import { join } from "node:path";
import { gasOfCalls } from "../../chain/traffic.ts";
import type { LearningEngine } from "../../learning/model.ts";
import type { ClientAlgorithm } from "../../node/clientAlgorithm.ts";
import type { NodeContext } from "../../node/nodeContext.ts";
import { NodeState } from "../../node/nodeState.ts";
import { checkpointSize } from "../../protocol/checkpoint.ts";
import { FoedusError } from "../../protocol/errors.ts";
import type { Logger } from "../../protocol/logger.ts";
import type { RoundReport } from "../../report/runReport.ts";
import { fetchCheckpoint } from "../../round/fetchCheckpoint.ts";
import { auditAsAuditor } from "../auditAsAuditor.ts";
import { followRun, settledAndClaimed } from "../followRun.ts";
import { CellRecord } from "../laboratory/cellRecord.ts";
import type { CellResult } from "../laboratory/cellResult.ts";
import type { ScoredRound } from "../laboratory/contributions.ts";
import { evaluateFederation } from "../laboratory/evaluateFederation.ts";
import { assemble, type Federation, type Member } from "../laboratory/federation.ts";
import { endingOf } from "../laboratory/runCell.ts";
import type { RoundFacts } from "../laboratory/simulateRound.ts";
import { namedLogger } from "../namedLogger.ts";
import { firstFailure, inProcess, type Participant } from "../participants.ts";
import { chainDigest } from "./chainDigest.ts";
import { attackingMember } from "./memberFaultOf.ts";
import { type OpenedCell, openCell } from "./openCell.ts";
import type { FederationCell } from "./requireRealRun.ts";

export interface ChainSurroundings {
  /** Evaluates models; members train with engines of their own. */
  readonly engine: LearningEngine;
  readonly dataRoot: string;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  readonly onProgress?: (text: string, finalised: number, of: number) => void;
}

/**
 * Runs one cell as a federation of real nodes and validators, with chain, store, proofs, settlement and audit, and describes it as the laboratory does, from
 * the checkpoints that the run has left in its store. Members have the laboratory's shards and draws, so that whatever does not depend on the
 * chain's beacon comes out the same, to the bit.
 */
export async function runCellOnChain(
  experiment: string,
  cell: FederationCell,
  { engine, dataRoot, logger, signal, onProgress = () => {} }: ChainSurroundings,
): Promise<CellResult> {
  const started = performance.now();
  await using resources = new AsyncDisposableStack();
  const federation = await assemble(cell.config, cell.seed, { engine, dataRoot });
  const record = new CellRecord(federation, started);
  record.evaluated(0, await evaluateFederation(federation, 0));
  onProgress("chain, contracts and run", 0, cell.config.rounds);
  const opened = await openCell(federation, `${experiment} ${cell.id}`, resources);
  signal.throwIfAborted();
  const { observer, memberIds, deployment, endpoint, files, rpcUrl, store } = opened;
  const { ledger, run } = observer;
  const trained = new Training();
  const participants = startParticipants(federation, opened, trained, logger);
  resources.defer(async () => void (await Promise.all(participants.map((participant) => participant.kill()))));
  const failed = Promise.race([firstFailure(participants), trained.failed]);
  failed.catch(() => {});

  const chronicle = new Chronicle(federation, opened, record, trained);
  await Promise.race([followRun(observer, signal, { onProgress, onRound: (report) => chronicle.add(report) }), failed]);
  onProgress("settlement", cell.config.rounds, cell.config.rounds);
  await Promise.race([settledAndClaimed(ledger, run, memberIds, signal), failed]);
  // Members have closed their last round by now: what they remember is what their models are personalised with.
  await Promise.race([Promise.all(participants.slice(0, memberIds.length).map(({ finished }) => finished)), failed]);
  const { master } = await fetchCheckpoint(store, await ledger.runView(run), observer, { signal });
  const last: Federation = { ...federation, master, members: await rememberedBy(federation.members, opened) };
  if (chronicle.finalised > 0)
    record.evaluated(chronicle.finalised, await evaluateFederation(last, chronicle.finalised));
  const ranSeconds = (performance.now() - started) / 1000;

  onProgress("audit", cell.config.rounds, cell.config.rounds);
  const audit = await auditAsAuditor(
    deployment,
    { rpcUrl },
    { run, head: (await ledger.runView(run)).head, store, auditor: files.auditor },
    (done, total) => {
      signal.throwIfAborted();
      onProgress(`audit: ${done} of ${total} rounds replayed`, cell.config.rounds, cell.config.rounds);
    },
  );
  for (const { round, link, detail } of audit.failures) logger.error({ round, link }, `the audit found: ${detail}`);
  const calls = await gasOfCalls(endpoint, deployment.addresses, deployment.blocks.first, await ledger.blockNumber());
  const ending = await endingOf(last, {
    ...chronicle.figures(),
    gas: calls.reduce((sum, { gasUsed }) => sum + gasUsed, 0),
    auditOk: audit.ok ? 1 : 0,
    auditChecks: audit.checks,
    auditFailures: audit.failures.length,
    auditedRounds: audit.rounds,
    runSeconds: ranSeconds,
    auditSeconds: (performance.now() - started) / 1000 - ranSeconds,
  });
  const result = record.result(experiment, cell, ending);
  const { denseUplinkBytes } = result.traffic;
  return { ...result, code: chainDigest(), traffic: { denseUplinkBytes, ...chronicle.traffic() } };
}

function startParticipants(
  federation: Federation,
  { files }: OpenedCell,
  trained: Training,
  logger: Logger,
): readonly Participant[] {
  const { members, random, attackers } = federation;
  const nodes = files.members.map(({ name, configFile }, i) => {
    const { id } = members[i] as Member;
    return inProcess({ name, role: "node", configFile }, namedLogger(logger, name), {
      // The laboratory's draws: a node alone would take its own.
      trainingStream: (_run, round) => random.derive("training", round, id),
      adapt(opened) {
        const node = { ...opened, codecStream: (round: number) => random.derive("rounding", round, id) };
        return trained.watch(attackers?.ids.has(id) === true ? attackingMember(node, attackers, id) : node);
      },
    });
  });
  const validators = files.validators.map(({ name, configFile }) =>
    inProcess({ name, role: "validator", configFile, keepServing: true }, namedLogger(logger, name)),
  );
  for (const participant of [...validators, ...nodes]) participant.start();
  return [...nodes, ...validators];
}

/**
 * What comes of training, over all members. Who cannot train, or gets what is no number, would leave its rounds out, and every round would wait for it until
 * its deadline: that ends the cell, where the laboratory leaves the member out and goes on.
 */
class Training {
  readonly #seconds = new Map<number, number>();
  readonly #failure = Promise.withResolvers<never>();
  /** Rejects with the first failure; never resolves. */
  readonly failed: Promise<never> = this.#failure.promise;

  constructor() {
    this.failed.catch(() => {});
  }

  /** Seconds of a round. Members train at the same time, so together they can be more than have passed. */
  secondsOf(round: number): number {
    return this.#seconds.get(round) ?? 0;
  }

  watch(node: NodeContext): NodeContext {
    const { algorithm } = node;
    const train: ClientAlgorithm["train"] = async (task, signal) => {
      const since = performance.now();
      try {
        const outcome = await algorithm.train(task, signal);
        if (!outcome.delta.every(Number.isFinite)) this.#failure.reject(diverged(node.memberId, task.round));
        this.#seconds.set(task.round, this.secondsOf(task.round) + (performance.now() - since) / 1000);
        return outcome;
      } catch (error) {
        if (!signal.aborted) this.#failure.reject(error);
        throw error;
      }
    };
    return { ...node, algorithm: { ...algorithm, train } };
  }
}

function diverged(member: number, round: number): FoedusError {
  return new FoedusError(
    "DIVERGED",
    `Training of member ${member} in round ${round} gave NaN or infinity; lower the learning rate.`,
    { values: { member, round } },
  );
}

/** The laboratory's members with what their nodes have on disk. */
function rememberedBy(members: readonly Member[], { files, observer }: OpenedCell): Promise<Member[]> {
  return Promise.all(
    members.map(async (member, i) => {
      const folder = files.members[i]?.folder as string;
      return { ...member, local: await new NodeState(join(folder, "state"), observer.run).local() };
    }),
  );
}

/** A nat in the units of scores. */
const SCORE_UNITS = 2 ** 20;

/** What validators attested. How many models that took is theirs to know. */
function scoredRound(scores: readonly { readonly id: number; readonly score: number }[]): ScoredRound {
  return { members: scores.map(({ id }) => id), scores: scores.map(({ score }) => score), evaluations: Number.NaN };
}

/** Writes closed rounds into a cell's record, in the laboratory's terms. */
class Chronicle {
  readonly #federation: Federation;
  readonly #opened: OpenedCell;
  readonly #record: CellRecord;
  readonly #trained: Training;
  readonly #memberOf: ReadonlyMap<number, Member>;
  finalised = 0;
  #last: RoundReport | undefined;
  #gas = 0;
  #uplink = 0;
  #downlink = 0;

  constructor(federation: Federation, opened: OpenedCell, record: CellRecord, trained: Training) {
    this.#federation = federation;
    this.#opened = opened;
    this.#record = record;
    this.#trained = trained;
    this.#memberOf = new Map(opened.memberIds.map((id, i) => [id, federation.members[i] as Member]));
  }

  async add(report: RoundReport): Promise<void> {
    if (report.closing) return;
    this.#record.ended(this.#factsOf(report));
    this.#uplink += report.updates.reduce((sum, { bytes }) => sum + (bytes ?? 0), 0);
    this.#downlink += report.updates.length * checkpointSize(this.#opened.observer);
    if (report.outcome !== "finalised") return;
    this.#gas += report.gas ?? 0;
    await this.#evaluateLast();
    this.finalised += 1;
    this.#last = report;
  }

  /** Evaluates the last finalised round, now that another has followed: the run's last is evaluated when members have closed it. */
  async #evaluateLast(): Promise<void> {
    const { config, members } = this.#federation;
    if (this.#last === undefined || this.finalised % config.evaluate.every !== 0) return;
    const master = await this.#checkpointOf(this.#last);
    // What members remember lies with their nodes, which are in the next round already.
    const measured = members.some(({ algorithm }) => algorithm.personalise !== undefined) ? [] : members;
    const federation = { ...this.#federation, master, members: measured };
    this.#record.evaluated(this.finalised, await evaluateFederation(federation, this.finalised));
  }

  /** Gas of a finalised round, from its opening to its finalisation. */
  figures(): Readonly<Record<string, number>> {
    return this.finalised === 0 ? {} : { gasPerRound: this.#gas / this.finalised };
  }

  /** Artifacts as they were served, and checkpoints as members fetched them. */
  traffic(): { uplinkBytes: number; downlinkBytes: number } {
    return { uplinkBytes: this.#uplink, downlinkBytes: this.#downlink };
  }

  #factsOf({ round, outcome, failure, updates }: RoundReport): RoundFacts {
    const { config } = this.#federation;
    const idOf = (memberId: number): number => this.#memberOf.get(memberId)?.id as number;
    const scores = updates
      .filter((update) => update.outcome !== "refused")
      .map(({ memberId, score }) => ({ id: idOf(memberId), score: Math.round(score * SCORE_UNITS) }));
    const invited = updates.map(({ memberId }) => this.#memberOf.get(memberId) as Member);
    const { attackers } = this.#federation;
    return {
      round,
      invited,
      kept: updates.filter((update) => update.outcome === "kept").map(({ memberId }) => idOf(memberId)),
      refused: updates
        .filter(({ refusal }) => refusal !== undefined)
        .map(({ memberId, refusal }) => ({ id: idOf(memberId), reason: refusal?.code as string })),
      diverged: new Set<number>(),
      attacked: new Set(invited.map(({ id }) => id).filter((id) => attackers?.acts(id, round))),
      ...(outcome === "failed" ? { failed: failure ?? "unknown" } : {}),
      ...(outcome === "finalised" && config.scoring !== undefined ? { scored: scoredRound(scores) } : {}),
      trainingSeconds: this.#trained.secondsOf(round),
    };
  }

  async #checkpointOf({ round }: RoundReport): Promise<Float64Array> {
    const { observer, store } = this.#opened;
    const record = await observer.ledger.finalised(observer.run, round);
    if (record === undefined) throw new Error(`Round ${round} is finalised and has no record.`);
    return (await fetchCheckpoint(store, record.result, observer, { timeoutMs: 30_000 })).master;
  }
}
