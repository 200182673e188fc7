// SPDX-License-Identifier: Apache-2.0
import { AggregationError } from "../../aggregation/aggregationError.ts";
import { moveMaster } from "../../aggregation/moveMaster.ts";
import type { LocalAlgorithm, LocalOutcome } from "../../learning/algorithms/localAlgorithm.ts";
import { localAlgorithm } from "../../learning/algorithms/table.ts";
import { ConfigError, FoedusError } from "../../protocol/errors.ts";
import { MASTER_EXTRA_BITS, powerOfTwo, splitMaster } from "../../protocol/grid.ts";
import { speedClasses } from "../../round/serverLearning/asynchrony/durations.ts";
import { fedQsPolicy, meanLayerAngle } from "../../round/serverLearning/asynchrony/fedQs.ts";
import { type AsyncUpdate, movementOfStep } from "../../round/serverLearning/asynchrony/moveByStep.ts";
import {
  type AsyncPolicy,
  fedAsyncPolicy,
  fedBuffPolicy,
  synchronousPolicy,
} from "../../round/serverLearning/asynchrony/policies.ts";
import { type AsyncStep, type AsyncTask, runAsync } from "../../round/serverLearning/asynchrony/runAsync.ts";
import { movementOnGrid } from "../../round/serverLearning/movementOnGrid.ts";
import type { AsyncConfig } from "../../round/serverLearning/serverConfig.ts";
import type { Figures } from "../studies/study.ts";
import type { CellRecord } from "./cellRecord.ts";
import { evaluateFederation } from "./evaluateFederation.ts";
import type { Federation, Member } from "./federation.ts";
import { qualityOf } from "./quality.ts";
import type { CellSurroundings } from "./runCell.ts";
import { shiftAfter } from "./shift.ts";
import { judge, prepareUploads, resourceOf } from "./simulateRound.ts";

/** A coded and verified upload, in units of the parameters, and what the member remembers once it has arrived. */
interface AsyncUpload extends AsyncUpdate {
  readonly task: AsyncTask;
  readonly delta: Float64Array;
  readonly bytes: number;
  readonly outcome: LocalOutcome;
  readonly residual: Float64Array;
}

/**
 * Runs a federation without rounds: members train, code and are verified as in a round, each from the model that it found and at its own speed on
 * a virtual clock, and the schedule's policy moves the master model on its grid. `rounds` is how often the model moves, and points tell the time.
 *
 * A member's residual and memory move on when its upload arrives and counts. Where the policy asks for another learning rate (FedQS), the member's
 * plan has it for that task.
 *
 * @returns figures `virtualTime`, `meanStaleness`, `largestStaleness`, `discarded` (uploads that came too late).
 * @throws ConfigError for client algorithms that send more than the model.
 */
export async function runAsynchronously(
  federation: Federation,
  schedule: AsyncConfig,
  record: CellRecord,
  { onRound, signal }: Pick<CellSurroundings, "onRound" | "signal">,
): Promise<Figures> {
  const { config, members, random, layout, model } = federation;
  if (layout.size !== model.parameterCount)
    throw new ConfigError(
      "The client algorithm sends tensors beside the model, which are means over a round; with a schedule there are no rounds. Choose another, or leave schedule out.",
      { client: config.client?.name },
    );
  const byId = new Map(members.map((member) => [member.id, member]));
  const memberOf = (id: number): Member => byId.get(id) as Member;
  const concurrency = Math.min(schedule.concurrency ?? members.length, members.length);
  const uploads: Pick<AsyncUpload, "task" | "bytes">[] = [];
  const underWay = new Map<number, AsyncUpload>();
  const directions = new Directions(federation);
  let trainingSeconds = 0;
  let shifted = {};

  const train = async (task: AsyncTask): Promise<AsyncUpload> => {
    signal?.throwIfAborted();
    const member = memberOf(task.member);
    const { view } = splitMaster(federation.master, layout);
    const started = performance.now();
    const outcome = await algorithmFor(federation, member, task).train({
      round: task.version + 1,
      state: view,
      shard: member.shard,
      // By the task and not by the version: a fast member may receive one version twice.
      random: random.derive("training", task.number + 1, member.id),
      local: member.local,
      participation: concurrency / members.length,
      resource: resourceOf(config, member.id),
    });
    trainingSeconds += (performance.now() - started) / 1000;
    const upload = await uploadOf(federation, member, task, outcome, view);
    uploads.push({ task, bytes: upload.bytes });
    underWay.set(member.id, upload);
    return upload;
  };

  const apply = async (step: AsyncStep<AsyncUpload>): Promise<void> => {
    const { version, time, arrivals } = step;
    const kept = arrivals.map(({ task }) => task.member);
    const facts = {
      round: version,
      invited: [],
      kept,
      refused: [],
      diverged: new Set<number>(),
      attacked: new Set<number>(),
    };
    const failed = directions.move(step);
    record.ended({ ...facts, trainingSeconds, ...(failed === undefined ? {} : { failed }) });
    trainingSeconds = 0;
    if (version % config.evaluate.every === 0 || version === config.rounds)
      record.evaluated(version, await evaluateFederation(federation, version), time);
    // Who is at work goes on with the samples that it began with.
    shifted = { ...shifted, ...(await shiftAfter(version, [federation], () => qualityOf(federation))) };
    onRound?.(version, config.rounds);
  };

  const policy = policyOf(schedule, { samples: (id) => memberOf(id).shard.size, angle: (id) => directions.angle(id) });
  record.evaluated(0, await evaluateFederation(federation, 0), 0);
  const run = await runAsync<AsyncUpload>({
    members: members.map(({ id }) => id),
    concurrency,
    policy: {
      ...policy,
      arrive(id) {
        const upload = underWay.get(id) as AsyncUpload;
        adopt(memberOf(id), upload, config.update.errorFeedback);
        directions.sent(id, upload.delta);
        policy.arrive?.(id);
      },
    },
    maxStaleness: schedule.maxStaleness,
    duration: speedClasses(
      members.map(({ id }) => id),
      schedule.speeds,
      schedule.jitter,
      random.derive("speeds"),
    ),
    until: { versions: config.rounds, time: Infinity },
    random: random.derive("schedule"),
    train,
    apply,
  });
  for (const { task, bytes } of finishedFirst(uploads, run.finishedTasks))
    record.traffic.add({ invited: [memberOf(task.member)], sentBytes: new Map([[task.member, bytes]]) });
  const ages = run.staleness;
  return {
    virtualTime: run.time,
    meanStaleness: ages.reduce((sum, age) => sum + age, 0) / ages.length,
    largestStaleness: ages.reduce((most, age) => Math.max(most, age), 0),
    discarded: run.discarded,
    ...shifted,
  };
}

function policyOf(schedule: AsyncConfig, hooks: Parameters<typeof fedQsPolicy>[1]): AsyncPolicy {
  switch (schedule.name) {
    case "sync":
      return synchronousPolicy(hooks.samples);
    case "fedasync":
      return fedAsyncPolicy(schedule);
    case "fedbuff":
      return fedBuffPolicy(schedule);
    case "fedqs":
      return fedQsPolicy(schedule, hooks);
  }
}

/** The member's algorithm, with the learning rate that the policy asks for. */
function algorithmFor(
  { config, model }: Federation,
  { algorithm }: Member,
  { instruction }: AsyncTask,
): LocalAlgorithm {
  const { client, training } = config;
  if (instruction === undefined || instruction.learningRate === training.learningRate) return algorithm;
  return localAlgorithm(client, { ...training, learningRate: instruction.learningRate }, model);
}

/** What leaves the member: coded as a node codes it; the first ones are verified as a validator verifies them, as in a first round. */
async function uploadOf(
  federation: Federation,
  member: Member,
  task: AsyncTask,
  outcome: LocalOutcome,
  received: Float32Array,
): Promise<AsyncUpload> {
  const first = task.number < federation.members.length;
  const prepared = await prepareUploads(federation, task.number + 1, [{ member, outcome }], received, task.version + 1);
  const { accepted, refused } = await judge(federation, task.number + 1, prepared, first);
  const upload = accepted[0];
  // Nobody attacks here, so a refusal is a defect of the laboratory and no result.
  if (upload === undefined)
    throw new FoedusError("CELL_FAILED", `Member ${member.id}'s update was refused: ${refused[0]?.reason}.`, {
      values: { member: member.id, reason: refused[0]?.reason },
    });
  const unit = powerOfTwo(-federation.config.update.fractionBits);
  return {
    task,
    base: inParameters(federation.master, federation),
    delta: Float64Array.from(upload.prepared.decoded, (q: number) => q * unit),
    bytes: upload.prepared.payload.length,
    outcome,
    residual: upload.prepared.nextResidual,
  };
}

function adopt(member: Member, { outcome, residual, task }: AsyncUpload, errorFeedback: boolean): void {
  if (errorFeedback) member.residual = residual;
  member.local = outcome.local;
  member.lastKept = task.version + 1;
}

/** The uploads that had ended when the run did: the first by their end, of equal ones the lower member's. */
function finishedFirst<Upload extends Pick<AsyncUpload, "task">>(
  uploads: readonly Upload[],
  count: number,
): readonly Upload[] {
  return uploads
    .toSorted((a, b) => a.task.finishesAt - b.task.finishesAt || a.task.member - b.task.member)
    .slice(0, count);
}

/** Moves the model, and knows where it went and where members' last updates point. */
class Directions {
  readonly #federation: Federation;
  readonly #last = new Map<number, Float64Array>();
  /** Angles since the model moved. */
  readonly #angles = new Map<number, number | undefined>();

  constructor(federation: Federation) {
    this.#federation = federation;
  }

  /** @returns the refusal's code where the model could not move; it then stays. */
  move(step: AsyncStep<AsyncUpload>): string | undefined {
    const { master, layout } = this.#federation;
    const movement = movementOfStep(inParameters(master, this.#federation), step);
    try {
      this.#federation.master = moveMaster(master, movementOnGrid(movement, layout), 0, layout);
    } catch (error) {
      if (!(error instanceof AggregationError)) throw error;
      return error.code;
    }
    this.#federation.previousMaster = master;
    this.#angles.clear();
    return undefined;
  }

  /** A member's update has arrived. */
  sent(member: number, delta: Float64Array): void {
    this.#last.set(member, delta);
    this.#angles.delete(member);
  }

  /** Between the model's last movement and a member's last update; undefined before either. */
  angle(member: number): number | undefined {
    if (!this.#angles.has(member)) this.#angles.set(member, this.#measure(member));
    return this.#angles.get(member);
  }

  #measure(member: number): number | undefined {
    const { master, previousMaster, model } = this.#federation;
    const own = this.#last.get(member);
    if (own === undefined || previousMaster === undefined) return undefined;
    const movement = master.map((value, j) => value - (previousMaster[j] as number));
    return meanLayerAngle(movement, own, model.layout);
  }
}

/** A master model in units of the parameters, exact. */
function inParameters(master: Float64Array, { config }: Federation): Float64Array {
  const unit = powerOfTwo(-config.update.fractionBits - MASTER_EXTRA_BITS);
  return master.map((value) => value * unit);
}
