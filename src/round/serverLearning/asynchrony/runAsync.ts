// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from "../../../protocol/errors.ts";
import type { Random } from "../../../protocol/random.ts";
import type { AsyncPolicy, Instruction } from "./policies.ts";

/** A member at work. */
export interface AsyncTask {
  readonly member: number;
  /** s: how many times the model had moved when the member received it. */
  readonly version: number;
  /** 0, 1, … in the order of starting. */
  readonly number: number;
  readonly startedAt: number;
  readonly finishesAt: number;
  /** What the policy asks of the member; undefined where it says nothing. */
  readonly instruction: Instruction | undefined;
}

/** What has arrived, and how much it counts. */
export interface AsyncArrival<Update> {
  readonly task: AsyncTask;
  readonly update: Update;
  /** a = t − s. */
  readonly staleness: number;
  /** In `add`, what Δ_i is multiplied by; in `mix`, the share of w_i in the new model. */
  readonly weight: number;
}

export interface AsyncStep<Update> {
  /** t + 1: the version of the model that comes of it. */
  readonly version: number;
  readonly time: number;
  /** `add`: w ← w + Σ weight·Δ_i. `mix`: w ← (1 − weight)·w + weight·w_i, with one arrival. */
  readonly kind: "add" | "mix";
  /** Ascending member, then task. */
  readonly arrivals: readonly AsyncArrival<Update>[];
}

export interface AsyncOptions<Update> {
  /** Ascending. */
  readonly members: readonly number[];
  /** How many work at a time. */
  readonly concurrency: number;
  readonly policy: AsyncPolicy;
  /** Arrivals staler than this are discarded. */
  readonly maxStaleness: number;
  /** Virtual seconds that a member takes for its n-th task (n from 0), positive. */
  readonly duration: (member: number, n: number) => number;
  /** The run ends at whichever comes first; one of them is finite. */
  readonly until: { readonly versions: number; readonly time: number };
  readonly random: Random;
  /** Trains from the model as it is now, which is version `task.version`. Called when the task starts. */
  readonly train: (task: AsyncTask) => Promise<Update>;
  /** Moves the model. */
  readonly apply: (step: AsyncStep<Update>) => Promise<void>;
}

export interface AsyncRun {
  readonly versions: number;
  /** Virtual time of the last event. */
  readonly time: number;
  readonly finishedTasks: number;
  readonly discarded: number;
  /** Staleness of everything that was applied, in its order. */
  readonly staleness: readonly number[];
}

/**
 * Asynchronous federated learning as a simulation of events on a virtual clock (spec E18). Members train side by side, each at its own speed, from
 * the model they found when they started; what arrives is buffered and applied by the policy (FedAsync, FedBuff, FedQS, or a synchronous barrier to
 * compare with). Everything that is drawn is keyed, and simultaneous arrivals are taken by member, so a run can be repeated exactly.
 *
 * No clock is read: how fast this machine is has no influence.
 *
 * @throws ConfigError for members, concurrency, times or ends that cannot be run.
 */
export async function runAsync<Update>(options: AsyncOptions<Update>): Promise<AsyncRun> {
  check(options);
  const { policy, until, random } = options;
  const working: { task: AsyncTask; update: Update }[] = [];
  const tasksOf = new Map<number, number>();
  let buffer: Omit<AsyncArrival<Update>, "weight">[] = [];
  const staleness: number[] = [];
  let [version, time, started, finished, discarded] = [0, 0, 0, 0, 0];

  const start = async (member: number): Promise<void> => {
    const n = tasksOf.get(member) ?? 0;
    tasksOf.set(member, n + 1);
    const task = {
      member,
      version,
      number: started,
      startedAt: time,
      finishesAt: time + positiveDuration(options.duration(member, n), member),
      instruction: policy.start?.(member),
    };
    started += 1;
    working.push({ task, update: await options.train(task) });
  };
  /** Keyed choice among the members that do nothing, as many as there is room for. */
  const fill = async (): Promise<void> => {
    const busy = new Set(working.map(({ task }) => task.member));
    const idle = options.members.filter((member) => !busy.has(member));
    const order = random.derive("start", started).shuffled(idle);
    for (const member of order.slice(0, options.concurrency - working.length)) await start(member);
  };

  await fill();
  while (version < until.versions) {
    const next = earliest(working.map(({ task }) => task));
    const { task, update } = working[next] as (typeof working)[number];
    if (task.finishesAt > until.time) break;
    working.splice(next, 1);
    time = task.finishesAt;
    finished += 1;
    const stale = version - task.version;
    if (stale > options.maxStaleness) discarded += 1;
    else {
      policy.arrive?.(task.member);
      buffer.push({ task, update, staleness: stale });
    }
    const full = policy.barrier ? working.length === 0 && buffer.length > 0 : buffer.length >= policy.needed;
    if (full) {
      const arrivals = buffer.toSorted((a, b) => a.task.member - b.task.member || a.task.number - b.task.number);
      const weights = policy.weigh(
        arrivals.map(({ task: { member, instruction }, staleness: age }) => ({
          member,
          staleness: age,
          factor: instruction?.factor ?? 1,
        })),
      );
      version += 1;
      staleness.push(...arrivals.map((one) => one.staleness));
      buffer = [];
      await options.apply({
        version,
        time,
        kind: policy.kind,
        arrivals: arrivals.map((one, k) => ({ ...one, weight: weights[k] as number })),
      });
    }
    // Behind a barrier nobody starts before the model has moved. A run that has ended starts nobody either.
    if (version < until.versions && (!policy.barrier || full)) await fill();
  }
  return { versions: version, time, finishedTasks: finished, discarded, staleness };
}

/** The place of the task that finishes first; among equals that of the lowest member. */
function earliest(tasks: readonly AsyncTask[]): number {
  let best = 0;
  for (const [place, { finishesAt, member }] of tasks.entries()) {
    const leader = tasks[best] as AsyncTask;
    if (finishesAt < leader.finishesAt || (finishesAt === leader.finishesAt && member < leader.member)) best = place;
  }
  return best;
}

function positiveDuration(seconds: number, member: number): number {
  if (!(seconds > 0 && Number.isFinite(seconds)))
    throw new ConfigError(`Member ${member} takes ${seconds} seconds; tasks take a positive time.`, {
      member,
      seconds,
    });
  return seconds;
}

function check<Update>({ members, concurrency, until, maxStaleness }: AsyncOptions<Update>): void {
  if (!(concurrency >= 1 && concurrency <= members.length))
    throw new ConfigError(
      `${concurrency} of ${members.length} members cannot work at a time; choose 1 to ${members.length}.`,
    );
  if (!(until.versions >= 0 && until.time >= 0) || (until.versions === Infinity && until.time === Infinity))
    throw new ConfigError("An asynchronous run ends after a number of versions or a time; give at least one.");
  if (!(maxStaleness >= 0)) throw new ConfigError(`The largest staleness is ${maxStaleness}; it is not negative.`);
}
