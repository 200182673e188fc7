// SPDX-License-Identifier: Apache-2.0
import type { ClientConfig, ClientConfigOf } from "../../protocol/recipe/clientConfig.ts";
import type { ModelConfig } from "../../protocol/recipe/modelConfig.ts";
import type { TrainingPlan } from "../../protocol/recipe/trainingConfig.ts";
import { LearningError } from "../errors.ts";
import { parameterCount, parameterLayout } from "../layout.ts";
import type { Model } from "../model.ts";
import { adapters } from "./adapters.ts";
import { dropPeft } from "./dropPeft.ts";
import { fedAvg } from "./fedAvg.ts";
import { fedEba } from "./fedEba.ts";
import { fedMeta } from "./fedMeta.ts";
import { fedPa } from "./fedPa.ts";
import { fedProx } from "./fedProx.ts";
import { fedSgd } from "./fedSgd.ts";
import { functional, type OwnModel, type UnlabelledSet } from "./functional.ts";
import { hmsdfl } from "./hmsdfl.ts";
import type { AuxiliaryTensor, LocalAlgorithm } from "./localAlgorithm.ts";
import { localSgd } from "./localSgd.ts";
import { lora } from "./lora.ts";
import { moon } from "./moon.ts";
import { msdfl } from "./msdfl.ts";
import { partialExchange } from "./partialExchange.ts";
import { sam } from "./sam.ts";
import { scaffold } from "./scaffold.ts";
import { spfl } from "./spfl.ts";
import { sizeOf } from "./taskState.ts";
import { joined } from "./vectors.ts";

/** What some algorithms need beside the model. */
export interface Surroundings {
  /** The run's unlabelled set, for `functional`. */
  readonly unlabelled?: UnlabelledSet | undefined;
  /** The member's own model, for `functional` among members of different architectures; nobody else sees it. */
  readonly own?: OwnModel | undefined;
}

type Make<Name extends ClientConfig["name"]> = (
  config: ClientConfigOf<Name>,
  plan: TrainingPlan,
  model: Model,
  surroundings: Surroundings,
) => LocalAlgorithm;

/** One row per client algorithm. */
const TABLE: { readonly [Name in ClientConfig["name"]]: Make<Name> } = {
  fedavg: (_, plan, model) => fedAvg(plan, model),
  fedsgd: fedSgd,
  "local-sgd": localSgd,
  fedprox: fedProx,
  scaffold,
  moon,
  spfl,
  msdfl,
  hmsdfl,
  fedeba: fedEba,
  fedmeta: fedMeta,
  partial: partialExchange,
  lora,
  adapters,
  droppeft: dropPeft,
  fedpa: fedPa,
  functional: (config, plan, model, { unlabelled, own }) => functional(config, plan, model, unlabelled, own),
  sam,
};

/**
 * The client algorithm that a recipe names; FedAvg where it names none.
 *
 * @throws ConfigError when algorithm, plan and model do not go together, saying what to change.
 */
export function localAlgorithm(
  client: ClientConfig | undefined,
  plan: TrainingPlan,
  model: Model,
  surroundings: Surroundings = {},
): LocalAlgorithm {
  const config = client ?? { name: "fedavg" };
  const make = TABLE[config.name] as Make<ClientConfig["name"]>;
  return make(config as never, plan, model, surroundings);
}

/**
 * The tensors that travel beside a model of that shape, in order; no engine is needed to know them.
 *
 * @throws ConfigError as `localAlgorithm` does.
 */
export function auxiliaryTensors(
  client: ClientConfig | undefined,
  plan: TrainingPlan,
  config: ModelConfig,
): readonly AuxiliaryTensor[] {
  const noEngine = (): never => {
    throw new LearningError("UNSUPPORTED", "This is a model's shape alone; load it on an engine to run it.");
  };
  const shape: Model = {
    config,
    layout: parameterLayout(config),
    parameterCount: parameterCount(config),
    forward: noEngine,
    valueAndGradient: noEngine,
  };
  return localAlgorithm(client, plan, shape).auxiliary;
}

/** What a run starts from: the initial parameters, then where the auxiliary tensors start (zeros unless they say otherwise). */
export function initialState(parameters: Float32Array, auxiliary: readonly AuxiliaryTensor[]): Float32Array {
  return joined(parameters, ...auxiliary.map((tensor) => tensor.initial ?? new Float32Array(sizeOf(tensor))));
}
