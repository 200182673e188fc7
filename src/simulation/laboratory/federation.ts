// SPDX-License-Identifier: Apache-2.0
import { weightGroups } from "../../aggregation/weightGroups.ts";
import { type DataConfig, loadData } from "../../data/dataConfig.ts";
import type { LoadedData } from "../../data/loadedData.ts";
import type { UnlabelledSet } from "../../learning/algorithms/functional.ts";
import type { LocalAlgorithm, LocalState } from "../../learning/algorithms/localAlgorithm.ts";
import { localAlgorithm } from "../../learning/algorithms/table.ts";
import { initialiseParameters } from "../../learning/layout.ts";
import type { LearningEngine, Model } from "../../learning/model.ts";
import type { Dataset } from "../../protocol/dataset.ts";
import { ConfigError } from "../../protocol/errors.ts";
import { masterFromFloat, powerOfTwo } from "../../protocol/grid.ts";
import { type ModelLayout, modelLayout } from "../../protocol/layout.ts";
import { keyedRandom, type Random } from "../../protocol/random.ts";
import type { ClientConfigOf } from "../../protocol/recipe/clientConfig.ts";
import { serverOptimiserOf } from "../../protocol/recipe.ts";
import { REPUTATION_ONE } from "../../protocol/reputation.ts";
import { initialServerState, type ServerState } from "../../protocol/serverState.ts";
import { isEnsemble, type ServerStrategyConfig } from "../../round/serverLearning/serverConfig.ts";
import { serverStrategyOf } from "../../round/serverLearning/strategies.ts";
import type { ServerStrategy } from "../../round/serverLearning/strategy.ts";
import type { UpdateBounds } from "../../update/clip.ts";
import { type DownlinkHistory, NO_DOWNLINKS } from "../../update/downlink.ts";
import { requireProduct } from "../../update/lowRank.ts";
import { emptyResidual } from "../../update/residual.ts";
import type { AttackLearner, Symmetry } from "../attacks/attack.ts";
import type { AttackConfig } from "../attacks/attackConfig.ts";
import { attackLearner, attackSymmetry } from "../attacks/attackLearner.ts";
import { Attackers } from "./attackers.ts";
import { type FederationConfig, modelOf, type SizedFederation } from "./cellConfig.ts";
import { withOwnFiles } from "./dataRoot.ts";
import { architecturesOf, type OwnArchitecture, predictionServer } from "./heterogeneous.ts";
import { joined } from "./joined.ts";
import { sized } from "./modelShares.ts";
import { PrivateRecords } from "./privateRecords.ts";
import { PrivateRun } from "./privateUploads.ts";
import { takeServerData } from "./serverData.ts";
import { dealMembers, type Shift, shiftOf } from "./shift.ts";

/** A member as the laboratory keeps it. */
export interface Member {
  readonly id: number;
  shard: Dataset;
  /** Its own test samples; undefined where members are not measured. */
  test: Dataset | undefined;
  readonly algorithm: LocalAlgorithm;
  /** What it trains: the federation's model, or one of an architecture of its own. */
  readonly model: Model;
  local: LocalState;
  residual: Float64Array;
  reputation: number;
  /** Mean Shapley value so far, integers in 2^-20 nats; only where the rule weighs by it. */
  contribution: number | undefined;
  /** What the rule remembers of the member. */
  ruleState: number | undefined;
  /** The last round whose update was kept; 0 before. */
  lastKept: number;
  /** Compressed downlinks: the round of the last one that it has applied, 0 with the initial model; undefined before it was first sent a model. */
  replica: number | undefined;
}

/** The server's side of compressed downlinks. */
export interface DownlinkState {
  /** E, what they have left unsaid, master grid. */
  readonly residual: Float64Array;
  readonly history: DownlinkHistory;
}

export interface ServerSide {
  readonly strategy: ServerStrategy;
  state: unknown;
  /** Models for single members, by id, where the strategy personalises. */
  personal: ReadonlyMap<number, Float32Array> | undefined;
}

/** Everything a simulated run consists of. */
export interface Federation {
  readonly config: SizedFederation;
  readonly seed: number;
  readonly random: Random;
  readonly model: Model;
  test: Dataset;
  /** What data become in the middle of the run; undefined where they stay. */
  readonly shift: Shift | undefined;
  /** The server's own labelled samples to score on; undefined where it keeps none. */
  readonly validation: Dataset | undefined;
  readonly members: readonly Member[];
  readonly attackers: Attackers | undefined;
  /** What attacks that optimise a model, or hide behind its symmetries, work with. */
  attackLearner: AttackLearner | undefined;
  readonly symmetry: Symmetry | undefined;
  readonly layout: ModelLayout;
  readonly bounds: UpdateBounds;
  master: Float64Array;
  serverState: ServerState;
  /** undefined where models are sent whole. */
  downlink: DownlinkState | undefined;
  /** Learning on the server's side, and what it remembers. */
  readonly server: ServerSide | undefined;
  readonly privacy: PrivateRun | undefined;
  /** DP-SGD at the members. */
  readonly records: PrivateRecords | undefined;
  /** The master model before the last round, for attackers that replay its movement. */
  previousMaster: Float64Array | undefined;
}

export interface Surroundings {
  readonly engine: LearningEngine;
  /** Folder with real data sets. */
  readonly dataRoot: string;
  /** Members, by id, that never take part (unlearning by replay). */
  readonly without?: readonly number[];
}

/** Deals the data, makes the members and the initial model. The same cell and seed give the same federation. */
export async function assemble(
  config: FederationConfig,
  seed: number,
  { engine, dataRoot, without = [] }: Surroundings,
): Promise<Federation> {
  const random = keyedRandom("foedus.laboratory", seed);
  const whole = await load(withOwnFiles(config.data, dataRoot), dataRoot, seed);
  const { trusted, validation, rest: data } = takeServerData(whole, config.serverData, random.derive("server data"));
  const model = await engine.load(modelOf(config, data));
  const ids = Array.from({ length: config.members }, (_, i) => i + 1);
  const attackers = config.attack === undefined ? undefined : new Attackers(listOf(config.attack), ids, random);
  const hands = dealMembers(config, data, random, attackers);
  const unlabelled = config.client?.name === "functional" ? unlabelledSet(config.client, trusted) : undefined;
  const architectures = await architecturesOf(config, data, engine, random);
  const algorithm = (own?: OwnArchitecture): LocalAlgorithm =>
    localAlgorithm(config.client, config.training, own?.model ?? model, { unlabelled, own });
  const probe = algorithm(architectures?.of(1));
  const records =
    config.privacy?.mode === "record" ? new PrivateRecords(config.privacy, config.training, seed) : undefined;
  const members: Member[] = [];
  // Of models of different architectures nothing travels.
  const shared = architectures === undefined ? model.layout : [];
  const layout = layoutOf(config, shared, probe);
  const counted = sized(config, layout.size);
  const { update, privacy } = counted;
  requireProduct(layout.tensors, update.codec);
  if (update.downlink !== undefined) requireProduct(layout.tensors, update.downlink);
  for (const [i, { shard, test }] of hands.entries()) {
    const id = i + 1;
    if (without.includes(id)) continue;
    const own = architectures?.of(id);
    members.push({
      id,
      shard,
      test,
      algorithm: records?.algorithm(model, id) ?? algorithm(own),
      model: own?.model ?? model,
      local: {},
      residual: emptyResidual(layout),
      reputation: REPUTATION_ONE,
      contribution: undefined,
      ruleState: undefined,
      lastKept: 0,
      replica: undefined,
    });
  }
  const attackingShards = members.filter(({ id }) => attackers?.ids.has(id)).map(({ shard }) => shard);
  const initial = new Float32Array(layout.size);
  if (architectures === undefined) initial.set(initialiseParameters(model.config, random));
  let offset = architectures === undefined ? model.parameterCount : 0;
  for (const { initial: start, shape } of probe.auxiliary) {
    if (start !== undefined) initial.set(start, offset);
    offset += sizeOf(shape);
  }
  const unit = powerOfTwo(config.update.fractionBits);
  const maxNorm = BigInt(Math.floor(config.update.maxNorm * unit));
  return {
    config: counted,
    seed,
    random,
    model,
    test: data.test,
    shift: shiftOf(config, whole, random, attackers),
    validation,
    members,
    attackers,
    attackLearner:
      attackingShards.length === 0 || architectures !== undefined
        ? undefined
        : attackLearner(model, joined(attackingShards)),
    symmetry: architectures === undefined ? attackSymmetry(model) : undefined,
    layout,
    bounds: {
      maxCoordinate: Math.min(16_777_215, Math.floor(config.update.maxCoordinate * unit)),
      maxNormSq: maxNorm * maxNorm,
    },
    master: masterFromFloat(initial, layout),
    serverState: initialServerState(serverOptimiserOf(config), layout.size),
    records,
    downlink:
      config.update.downlink === undefined
        ? undefined
        : { residual: new Float64Array(layout.size), history: NO_DOWNLINKS },
    server:
      config.server === undefined || isEnsemble(config.server)
        ? undefined
        : openServer(config.server, { config, model, trusted, unlabelled, validation, random }),
    privacy:
      privacy === undefined || privacy.mode === "none" || privacy.mode === "record"
        ? undefined
        : new PrivateRun(privacy, counted, layout, seed),
    previousMaster: undefined,
  };
}

/** The model's tensors, then the algorithm's auxiliary ones. */
function layoutOf(
  { update, aggregation }: FederationConfig,
  shared: Model["layout"],
  { auxiliary }: LocalAlgorithm,
): ModelLayout {
  const tensors = [...shared, ...auxiliary];
  const groups = weightGroups(
    aggregation,
    tensors.map(({ name }) => name),
  );
  return modelLayout(
    tensors.map(({ name, shape }, at) => ({
      name,
      shape: [...shape],
      fractionBits: update.fractionBits,
      group: groups[at] as number,
    })),
  );
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

/** One attack, or several by the same attackers. */
function listOf(attack: NonNullable<FederationConfig["attack"]>): readonly [AttackConfig, ...AttackConfig[]] {
  return (Array.isArray(attack) ? attack : [attack]) as [AttackConfig, ...AttackConfig[]];
}

function openServer(
  server: ServerStrategyConfig,
  {
    config,
    model,
    trusted,
    unlabelled,
    validation,
    random,
  }: {
    config: FederationConfig;
    model: Model;
    trusted: Dataset | undefined;
    unlabelled: UnlabelledSet | undefined;
    validation: Dataset | undefined;
    random: Random;
  },
): ServerSide {
  if (config.models !== undefined) {
    const strategy = predictionServer(server, model, unlabelled as UnlabelledSet, random, validation);
    return { strategy, state: strategy.initial, personal: undefined };
  }
  const strategy = serverStrategyOf(server, {
    model,
    plan: config.training,
    ...(trusted === undefined ? {} : { trusted, unlabelled: trusted }),
    ...(validation === undefined ? {} : { validation }),
    random: random.derive("server"),
  });
  return { strategy, state: strategy.initial, personal: undefined };
}

function unlabelledSet({ samples }: ClientConfigOf<"functional">, trusted: Dataset | undefined): UnlabelledSet {
  if (trusted === undefined || trusted.size < samples)
    throw new ConfigError(
      `The client algorithm functional needs ${samples} unlabelled samples that all share; set serverData.samples to at least that.`,
      { samples },
    );
  return { features: trusted.features.subarray(0, samples * trusted.inputs), size: samples };
}

let lastLoaded: { readonly key: string; readonly data: Promise<LoadedData> } | undefined;

/** Cells of one seed follow each other and differ in their recipes: their data are read once. */
function load(config: DataConfig, root: string, seed: number): Promise<LoadedData> {
  const key = JSON.stringify({ config, root, seed });
  if (lastLoaded?.key !== key) lastLoaded = { key, data: loadData(config, { root, seed: `laboratory ${seed}` }) };
  return lastLoaded.data;
}
