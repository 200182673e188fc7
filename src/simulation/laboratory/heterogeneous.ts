// SPDX-License-Identifier: Apache-2.0

/**
 * Members with different architectures in one federation (spec O, `heterogeneous-models`): each keeps a model of its own, and what travels is what the
 * models say about unlabelled samples that all share. The server takes the mean of probabilities (B17) or distils logits into a student (E20).
 */

import type { LoadedData } from "../../data/loadedData.ts";
import type { OwnModel, UnlabelledSet } from "../../learning/algorithms/functional.ts";
import { initialiseParameters } from "../../learning/layout.ts";
import type { LearningEngine, Model } from "../../learning/model.ts";
import type { Dataset } from "../../protocol/dataset.ts";
import { ConfigError } from "../../protocol/errors.ts";
import type { Random } from "../../protocol/random.ts";
import { fedDfOfLogits } from "../../round/serverLearning/fedDfOfLogits.ts";
import { functionalAggregation } from "../../round/serverLearning/functionalAggregation.ts";
import type { ServerStrategyConfig } from "../../round/serverLearning/serverConfig.ts";
import type { ServerStrategy } from "../../round/serverLearning/strategy.ts";
import { architectureFor, type FederationConfig } from "./cellConfig.ts";

/** A member's model and where it starts. */
export interface OwnArchitecture extends OwnModel {
  readonly model: Model;
}

export interface Architectures {
  of(id: number): OwnArchitecture;
}

/**
 * The members' own models, in turn, each from initial parameters of its own; undefined where a cell names none, and all share one.
 *
 * @throws z.ZodError for an architecture that the data do not fit.
 */
export async function architecturesOf(
  { models, server }: FederationConfig,
  data: LoadedData,
  engine: LearningEngine,
  random: Random,
): Promise<Architectures | undefined> {
  if (models === undefined) return undefined;
  const loaded: Model[] = [];
  for (const stated of models) loaded.push(await engine.load(architectureFor(stated, data)));
  const says = server?.name === "feddf" ? "logits" : "probabilities";
  return {
    of(id) {
      const model = loaded[(id - 1) % loaded.length] as Model;
      return { model, initial: initialiseParameters(model.config, random.derive("own model", id)), says };
    },
  };
}

/**
 * The server's half.
 *
 * @param student the server's own architecture, which FedDF trains; functional aggregation has none.
 * @throws ConfigError for a strategy that takes parameters.
 */
export function predictionServer(
  config: ServerStrategyConfig,
  student: Model,
  unlabelled: UnlabelledSet,
  random: Random,
  validation?: Dataset,
): ServerStrategy {
  switch (config.name) {
    case "functional":
      return functionalAggregation(0, student.config.classes, config.weighting);
    case "feddf": {
      const parameters = initialiseParameters(student.config, random);
      return fedDfOfLogits({ model: student, parameters }, unlabelled, config, validation);
    }
    default:
      throw new ConfigError(
        `Server strategy ${config.name} takes parameters, and members of different architectures have none in common; take functional or feddf.`,
        { server: config.name },
      );
  }
}
