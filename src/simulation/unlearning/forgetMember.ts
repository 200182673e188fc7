// SPDX-License-Identifier: Apache-2.0
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { lockFolder } from "../../process/lockFolder.ts";
import { toHex, utf8 } from "../../protocol/bytes.ts";
import { canonicalJson, type Json } from "../../protocol/canonicalJson.ts";
import type { Dataset } from "../../protocol/dataset.ts";
import { ConfigError } from "../../protocol/errors.ts";
import { keccak256 } from "../../protocol/hash.ts";
import type { WideKernels } from "../../protocol/wideKernels.ts";
import type { Deletion, MethodEvidence, UnlearningReport } from "../../report/unlearning/unlearningReport.ts";
import { groupsOf } from "../../round/serverLearning/flCert/groups.ts";
import { isEnsemble } from "../../round/serverLearning/serverConfig.ts";
import { type CellConfig, cohortSize, type FederationConfig } from "../laboratory/cellConfig.ts";
import { codeDigest } from "../laboratory/codeDigest.ts";
import { assemble, type Federation, type Surroundings } from "../laboratory/federation.ts";
import { PrivateRecords } from "../laboratory/privateRecords.ts";
import { eraseRecords, finishErasing, keptOf } from "./eraseRecords.ts";
import { AUROC_LEEWAY, relativeDistance } from "./evidence.ts";
import { forgetByReplay, trainWithout } from "./exactReplay.ts";
import { type Examination, Examiner, meanOf, othersOf } from "./examine.ts";
import { keepsUploads, type Method, methodsFor, requireEnoughLeft, requireForgettable } from "./methods.ts";
import { eraseStored, recomputeStored } from "./recomputeStored.ts";
import type { Head, ReplayableRun } from "./replayableRun.ts";
import { reportPath } from "./reportPath.ts";
import { MANIFEST, RunFolder, type StoredRoundBody } from "./runFolder.ts";
import { type Snapshot, snapshotWithout } from "./snapshot.ts";
import { playStored, type StoredRun } from "./storedRun.ts";
import { type ForgettingProgress, WorkLeft } from "./workLeft.ts";

export interface ForgetOptions {
  readonly experiment: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly config: CellConfig;
  readonly seed: number;
  readonly member: number;
  readonly method: Method | "all";
  /** Folder for records and reports. */
  readonly output: string;
  /** s: every how many rounds a snapshot is written. */
  readonly every: number;
  /** FedEraser's Δt and r. */
  readonly keepEvery: number;
  readonly effort: number;
  /** Leave the records of the run with the member as they are. */
  readonly keep?: boolean;
  /** Train anew, whatever records are there. */
  readonly again?: boolean;
  readonly surroundings: Surroundings & { readonly kernels: WideKernels };
  /**
   * Puts the report where it is safe. Called before anything is deleted, since the evidence cannot be had again afterwards, and where something was
   * deleted once more with the report that says so.
   */
  readonly publish?: (report: UnlearningReport) => Promise<void>;
  readonly onProgress?: (progress: ForgettingProgress) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs a cell's federation (or goes on with its records), forgets a member, and gathers the evidence (spec I6). Training without the member from
 * the start is really done, since all evidence is held against it.
 *
 * @throws ConfigError where it cannot be done, with the reason; FoedusError SNAPSHOT_DAMAGED or SNAPSHOT_FOREIGN for records that are not to be used.
 */
export async function forgetMember(options: ForgetOptions): Promise<UnlearningReport> {
  const { config, member, output, again } = options;
  requireForgettable(config, member);
  const { methods, leftOut } = methodsFor(options.method, config);
  const release = await lockFolder(output, "name another --output");
  try {
    if (again === true) await removeRecords(output);
    return await new Forgetting(options, config).report(methods, leftOut);
  } finally {
    await release();
  }
}

/** A model that does not suit its data is the cell's fault. */
function explain(error: unknown): never {
  if (!(error instanceof z.ZodError)) throw error;
  throw new ConfigError(`The cell's model cannot be built.\n${z.prettifyError(error)}`, {}, error);
}

/** Removes runs that were recorded in a folder, and nothing else of it. */
async function removeRecords(output: string): Promise<void> {
  for (const folder of [output, join(output, "groups")])
    for (const name of await readdir(folder).catch(() => []))
      if (existsSync(join(folder, name, MANIFEST))) await RunFolder.remove(join(folder, name));
}

/** The digest of whatever a record depends on. */
function sourcesDigest(): string {
  return `${codeDigest()}-${codeDigest(fileURLToPath(import.meta.url))}`;
}

/** A model's run: the federation's, or one of its groups'. */
interface Branch {
  readonly run: StoredRun;
  readonly without: readonly number[];
}

class Forgetting {
  readonly #options: ForgetOptions;
  readonly #config: FederationConfig;
  readonly #work: WorkLeft;
  #identity = "";

  constructor(options: ForgetOptions, config: FederationConfig) {
    this.#options = options;
    this.#config = config;
    this.#work = new WorkLeft(options.onProgress);
  }

  async report(methods: readonly Method[], leftOut: UnlearningReport["leftOut"]): Promise<UnlearningReport> {
    const { seed, member, surroundings, experiment, labels, keep, publish } = this.#options;
    const config = this.#config;
    const everybody = await assemble(config, seed, surroundings).catch(explain);
    this.#identity = identityOf(config, seed, everybody);
    const groups = groupsIn(config, everybody);
    const group = groups.findIndex((ids) => ids.includes(member));
    const absent: (readonly number[])[] = [];
    for (const [g, ids] of groups.entries()) absent.push(await this.#absentFrom(everybody, groups, g, ids));
    const present = (groups[group] as readonly number[]).filter((id) => absent[group]?.includes(id) !== true);
    requireEnoughLeft(config, member, present);
    this.#planAll(methods, groups, group);

    const branches: Branch[] = [];
    for (const [g, without] of absent.entries()) branches.push(await this.#original(everybody, groups, g, without));
    const own = branches[group] as Branch;
    const earlier = groups.flatMap((ids, g) => ids.filter((id) => branches[g]?.without.includes(id)));
    const examiner = new Examiner(everybody, member, earlier);
    const ensemble = (head: HeadOf): readonly HeadOf[] =>
      branches.map(({ run }, g) => (g === group ? head : lastOf(run)));
    const examine = (head: HeadOf): Promise<Examination> => examiner.examine(ensemble(head), group);

    const old = lastOf(own.run);
    const began = performance.now();
    const retrainedRun = await this.#without(own, "retrained", undefined, everybody);
    const retrained = await trainWithout(
      viewOf(own.run, async () => retrainedRun),
      member,
    );
    const seconds = (performance.now() - began) / 1000;
    const [before, unseen] = [await examine(old), await examine(retrained)];
    const context: Context = { old, retrained, before, unseen, examine };

    let replayedRun: StoredRun | undefined;
    const evidence: MethodEvidence[] = [];
    for (const method of methods) {
      const started = performance.now();
      const outcome = await this.#forget(method, own, everybody);
      replayedRun = outcome.replayed ?? replayedRun;
      evidence.push(await judge(method, outcome, context, (performance.now() - started) / 1000));
    }
    const firstRound = firstRoundOf(own.run, member);
    const exact = evidence.find(({ claimsExact }) => claimsExact);
    const erase = keep !== true && exact?.equalsRetrained === true && replayedRun !== undefined;
    const deletion = await deletionOf(own.run, replayedRun ?? retrainedRun, member, {
      done: false,
      why: erase
        ? "The records of the run with the member are about to be deleted. Where this still stands, the command was cut off: the same command once more ends it, or says that it is done."
        : keep === true
          ? "Nothing was deleted, because --keep says so."
          : exact === undefined
            ? "Nothing was deleted: an approximate method leaves a model of unknown memory. Forget by an exact method to delete."
            : firstRound === null
              ? "Nothing was deleted, because nothing of the member entered the model."
              : "Nothing was deleted, because the evidence does not hold.",
    });
    const trainedElsewhere = branches.reduce((sum, { run }, g) => (g === group ? sum : sum + trainingsOf(run)), 0);
    const report: UnlearningReport = {
      version: 1,
      experiment,
      labels,
      seed,
      code: sourcesDigest(),
      member,
      attacker: everybody.attackers?.ids.has(member) === true,
      earlier,
      federation: {
        members: config.members,
        cohort: cohortSize(config),
        rounds: config.rounds,
        data: config.data.name,
        model: everybody.model.config.kind,
        parameters: everybody.model.parameterCount,
        client: config.client?.name ?? "fedavg",
        rule: config.aggregation.rule,
      },
      group:
        groups.length === 1
          ? null
          : {
              index: group,
              groups: groups.length,
              members: (groups[group] as readonly number[]).filter((id) => !earlier.includes(id)),
            },
      firstRound,
      participations: own.run.rounds.filter(({ accepted, failed }) => failed === null && accepted.includes(member))
        .length,
      before: {
        head: old.digest,
        accuracy: before.accuracy,
        othersMean: meanOf(before),
        auroc: before.auroc,
        distance: relativeDistance(old.state, retrained.state),
      },
      retrained: {
        head: retrained.digest,
        accuracy: unseen.accuracy,
        othersMean: meanOf(unseen),
        auroc: unseen.auroc,
        clientRounds: trainingsOf(retrainedRun) + trainedElsewhere,
        seconds,
      },
      membershipTest: {
        memberSamples: examiner.memberSamples,
        heldOutSamples: examiner.heldOutSamples,
        heldOut: examiner.heldOutKind,
        standardError: before.standardError,
        memorised: before.auroc - unseen.auroc > AUROC_LEEWAY,
      },
      othersOn: examiner.othersOn,
      methods: evidence,
      leftOut,
      deletion,
      privacy: privacyOf(config, own.run, everybody, member, seed),
      holds: exact === undefined ? evidence.every(({ holds }) => holds) : exact.holds,
    };
    await publish?.(report);
    if (!erase) return report;
    await eraseRecords(own.run, replayedRun as StoredRun, member);
    const why = "The records of the run with the member are deleted; those of the run without it stand in their place.";
    const erased = { ...report, deletion: { ...deletion, done: true, why } };
    await publish?.(erased);
    return erased;
  }

  #planAll(methods: readonly Method[], groups: readonly (readonly number[])[], group: number): void {
    const { rounds, participation } = this.#config;
    const { keepEvery, effort } = this.#options;
    const own = (groups[group] as readonly number[]).length * participation * rounds;
    for (const [g, ids] of groups.entries()) this.#work.plan(stageOf(groups, g), ids.length * participation * rounds);
    this.#work.plan(STAGES.retrained, own);
    for (const method of methods) {
      if (method === "exact" || method === "sharded") this.#work.plan(STAGES.replayed, own);
      if (method === "eraser") this.#work.plan(STAGES.eraser, (own * effort) / keepEvery);
    }
  }

  #pathOf(groups: readonly unknown[], g: number): string {
    const { output } = this.#options;
    return groups.length === 1 ? join(output, "run") : join(output, "groups", String(g));
  }

  /** Members that the run of a group (or of all) is without: strangers to the group, and those that were forgotten before. */
  async #absentFrom(
    everybody: Federation,
    groups: readonly (readonly number[])[],
    g: number,
    ids: readonly number[],
  ): Promise<readonly number[]> {
    const { output, member, again } = this.#options;
    const path = this.#pathOf(groups, g);
    await finishErasing(path);
    const strangers = everybody.members.map(({ id }) => id).filter((id) => !ids.includes(id));
    const found = again === true ? undefined : await RunFolder.identityOf(path);
    const without = found?.without ?? strangers;
    if (ids.includes(member) && without.includes(member)) {
      const report = reportPath(output, member, "html");
      throw new ConfigError(
        `Member ${member} was forgotten in ${output} already, and the records of the run with it are deleted` +
          `${existsSync(report) ? `; its report is ${report}` : ", but its report is not there"}. ` +
          "Name another member, another --output, or --again to train with it anew.",
        { member, output },
      );
    }
    return without;
  }

  /** The run of a group (or of all) as it was, without members that were forgotten before. */
  async #original(
    everybody: Federation,
    groups: readonly (readonly number[])[],
    g: number,
    without: readonly number[],
  ): Promise<Branch> {
    const stage = stageOf(groups, g);
    const run = await this.#play(this.#pathOf(groups, g), without, stage, everybody);
    this.#work.end(stage);
    return { run, without };
  }

  /** The run without the member, in a folder beside the run with it; from a snapshot, or from the start. */
  async #without(
    { run, without }: Branch,
    name: "retrained" | "replayed",
    from: Snapshot | undefined,
    everybody: Federation,
  ): Promise<StoredRun> {
    const { member, again } = this.#options;
    const path = `${run.folder.path}-${name}-${member}`;
    const all = [...without, member].sort((a, b) => a - b);
    // What is left of an earlier command and fits no more is only in the way.
    const found = await RunFolder.identityOf(path);
    const fits =
      found?.identity === this.#identity && found.code === sourcesDigest() && found.without.join() === all.join();
    if (again === true || !fits) await RunFolder.remove(path);
    const played = await this.#play(path, all, STAGES[name], everybody, from);
    this.#work.end(STAGES[name]);
    return played;
  }

  async #play(
    path: string,
    without: readonly number[],
    stage: string,
    { layout }: Federation,
    from?: Snapshot,
  ): Promise<StoredRun> {
    const { seed, surroundings, every, signal } = this.#options;
    const folder = await RunFolder.open(path, { identity: this.#identity, code: sourcesDigest(), without });
    return playStored({
      assemble: () => assemble(this.#config, seed, { ...surroundings, without }),
      layout,
      rounds: this.#config.rounds,
      folder,
      every,
      keepUploads: keepsUploads(this.#config),
      kernels: surroundings.kernels,
      from,
      onRound: (trainings) => this.#work.trained(stage, trainings),
      signal,
    });
  }

  async #forget(method: Method, own: Branch, everybody: Federation): Promise<Outcome> {
    const { member, seed, surroundings, keepEvery, effort, signal } = this.#options;
    const { run, without } = own;
    const alone = () => assemble(this.#config, seed, { ...surroundings, without: [...without, member] });
    if (method === "recompute") {
      const { head, failed } = await recomputeStored(run, member, await alone(), surroundings.kernels, signal);
      return { head, failed, clientRounds: 0 };
    }
    if (method === "eraser") {
      const onTrained = (share: number) => this.#work.trained(STAGES.eraser, share);
      const options = { keepEvery, effort };
      const { state, clientRounds } = await eraseStored(run, member, await alone(), options, { onTrained, signal });
      this.#work.end(STAGES.eraser);
      const digest = toHex(keccak256(new Uint8Array(state.buffer, state.byteOffset, state.byteLength)));
      return { head: { digest, state }, failed: [], clientRounds };
    }
    let replayed: StoredRun | undefined;
    const view = viewOf(run, async (first) => {
      const usable = (await run.folder.snapshots()).findLast((round) => round < first) as number;
      const from = snapshotWithout(await run.folder.snapshot(usable), [member]);
      replayed = await this.#without(own, "replayed", usable === 0 ? undefined : from, everybody);
      return replayed;
    });
    const { head, record } = await forgetByReplay(view, member);
    return { head, failed: record.failed, clientRounds: replayed === undefined ? 0 : trainingsOf(replayed), replayed };
  }
}

const STAGES = {
  retrained: "training without the member from the start, to compare with",
  replayed: "replaying without the member",
  eraser: "FedEraser's calibration",
} as const;

function stageOf(groups: readonly unknown[], g: number): string {
  return groups.length === 1 ? "training with the member" : `training group ${g + 1} of ${groups.length}`;
}

type HeadOf = Pick<Head, "digest" | "state">;

interface Outcome {
  readonly head: HeadOf;
  readonly failed: MethodEvidence["failed"];
  readonly clientRounds: number;
  readonly replayed?: StoredRun | undefined;
}

interface Context {
  readonly old: HeadOf;
  readonly retrained: HeadOf;
  readonly before: Examination;
  readonly unseen: Examination;
  readonly examine: (head: HeadOf) => Promise<Examination>;
}

/** Holds what a method gave against the model that never saw the member. */
async function judge(
  method: Method,
  { head, failed, clientRounds, replayed }: Outcome,
  { retrained, before, unseen, examine }: Context,
  seconds: number,
): Promise<MethodEvidence> {
  const now = await examine(head);
  const claimsExact = method === "exact" || method === "sharded";
  const equalsRetrained = head.digest === retrained.digest;
  const withinAsked = Math.abs(now.auroc - 0.5) <= AUROC_LEEWAY;
  const asUnseen = Math.abs(now.auroc - unseen.auroc) <= AUROC_LEEWAY;
  const checks = [
    ...(claimsExact
      ? [
          {
            claim: "the head is that of training without the member from the start, bit for bit",
            holds: equalsRetrained,
          },
        ]
      : []),
    {
      claim: "its samples are told from others' no better than by chance, or than by a model that never saw them",
      holds: withinAsked || asUnseen,
    },
  ];
  return {
    method,
    claimsExact,
    head: head.digest,
    equalsRetrained,
    replayed: replayed === undefined ? null : { from: replayed.rounds[0]?.round ?? 0, rounds: replayed.rounds.length },
    failed,
    membership: { after: now.auroc, withinAsked, asUnseen },
    accuracy: now.accuracy,
    others: othersOf(now, before),
    distance: relativeDistance(head.state, retrained.state),
    clientRounds,
    seconds,
    checks,
    holds: checks.every(({ holds }) => holds),
  };
}

/** A stored run as unlearning sees it. @param play the same run without the member, from a round on or from before it. */
function viewOf(run: StoredRun, play: (first: number) => Promise<StoredRun>): ReplayableRun {
  return {
    heads: run.heads,
    accepted: (round) => (run.rounds[round - 1] as StoredRoundBody).accepted,
    async replay(first) {
      const { heads } = await play(first);
      return heads.slice(1).filter(({ round }) => round >= first);
    },
  };
}

function groupsIn({ server }: FederationConfig, { members, random }: Federation): readonly (readonly number[])[] {
  const ids = members.map(({ id }) => id);
  return server !== undefined && isEnsemble(server) ? groupsOf(server, ids, random.derive("groups")) : [ids];
}

function lastOf({ heads }: StoredRun): Head {
  return heads.at(-1) as Head;
}

function firstRoundOf({ rounds }: StoredRun, member: number): number | null {
  return rounds.find(({ accepted }) => accepted.includes(member))?.round ?? null;
}

function trainingsOf({ rounds }: StoredRun): number {
  return rounds.reduce((sum, { trained }) => sum + trained.length, 0);
}

/** Names configuration, seed and data: other data under the same name are another run. */
function identityOf(config: FederationConfig, seed: number, { test, members }: Federation): string {
  const hash = createHash("sha256");
  const add = ({ features, labels }: Dataset): void => {
    for (const { buffer, byteOffset, byteLength } of [features, labels])
      hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  };
  add(test);
  for (const { shard } of members) add(shard);
  const named = { config, seed, data: hash.digest("hex") };
  return toHex(keccak256(utf8(canonicalJson(JSON.parse(JSON.stringify(named)) as Json))));
}

async function deletionOf(
  run: StoredRun,
  replayed: StoredRun,
  member: number,
  { done, why }: Pick<Deletion, "done" | "why">,
): Promise<Deletion> {
  const [before, after] = await Promise.all(
    [run, replayed].map(async ({ folder, rounds }) => (await folder.snapshot(rounds.at(-1)?.round ?? 0)).members),
  );
  const standings = [...(before as NonNullable<typeof before>)]
    .filter(([id]) => id !== member)
    .map(([id, { reputation, contribution }]) => {
      const now = after?.get(id);
      return {
        member: id,
        reputation: [reputation, now?.reputation ?? reputation] as const,
        contribution: [contribution ?? null, now?.contribution ?? null] as const,
      };
    });
  const sum = (place: 0 | 1): number =>
    standings.reduce((total, { contribution }) => total + (contribution[place] ?? 0), 0);
  return {
    done,
    why,
    items: await keptOf(run, member),
    standings,
    contributions: standings.some(({ contribution }) => contribution[0] !== null) ? [sum(0), sum(1)] : null,
    notUndone: [
      "Rewards that were paid are not clawed back, and those of the others were split by scores in which the member took part.",
      "Copies of earlier models that somebody took are beyond this command, and so are backups of these files.",
      "The data set that the laboratory deals from still has the member's samples; delete them there.",
    ],
  };
}

/** What privacy promises by itself, as an alternative to forgetting: a bound from before, for whoever takes part. */
function privacyOf(
  { privacy, training, rounds }: FederationConfig,
  run: StoredRun,
  { members }: Federation,
  member: number,
  seed: number,
): UnlearningReport["privacy"] {
  if (privacy === undefined || privacy.mode === "none") return null;
  if (privacy.mode === "record") {
    const records = new PrivateRecords(privacy, training, seed);
    for (let round = 1; round <= rounds; round++) records.book();
    const samples = members.find(({ id }) => id === member)?.shard.size as number;
    return { mode: privacy.mode, unit: "record", ...records.spent(samples) };
  }
  const spent = run.rounds.at(-1)?.spent;
  return spent === null || spent === undefined ? null : { mode: privacy.mode, unit: "member", ...spent };
}
