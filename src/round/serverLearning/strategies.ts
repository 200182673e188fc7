// SPDX-License-Identifier: Apache-2.0
import type { Model } from "../../learning/model.ts";
import type { Dataset } from "../../protocol/dataset.ts";
import { ConfigError } from "../../protocol/errors.ts";
import type { Random } from "../../protocol/random.ts";
import type { TrainingPlan } from "../../protocol/recipe/trainingConfig.ts";
import { chooseSamples } from "./chooseSamples.ts";
import { fedDf } from "./fedDf.ts";
import { fedMcon } from "./fedMcon.ts";
import { fedRedefenseDistilled, fedRedefenseProbes } from "./fedRedefense/fedRedefense.ts";
import { functionalAggregation } from "./functionalAggregation.ts";
import { pFedGpa } from "./pFedGpa/pFedGpa.ts";
import { flTrustRoot } from "./rootUpdate.ts";
import type { ServerStrategyConfig } from "./serverConfig.ts";
import type { ServerStrategy } from "./strategy.ts";

/** What a server may have beside the members' updates. A strategy says what it lacks. */
export interface ServerResources {
  /** On chain a model on the agreed engine, so that every validator gets the same bits. */
  readonly model: Model;
  /** The members' plan, for FLTrust's root training. */
  readonly plan?: TrainingPlan;
  /** Labelled samples that the server trusts: root set, proxy set. */
  readonly trusted?: Dataset;
  /** Samples whose labels are not read: FedDF's, FedREDefense's probes. */
  readonly unlabelled?: Dataset;
  /** Labelled samples to stop and choose by, not to train on. */
  readonly validation?: Dataset;
  /** Names the run. */
  readonly random: Random;
}

/**
 * The strategy that a config names. A new one is a file, a row in `serverConfig.ts` and a row here.
 *
 * @throws ConfigError for what it needs and the server lacks.
 */
export function serverStrategyOf(config: ServerStrategyConfig, resources: ServerResources): ServerStrategy {
  const { model, random } = resources;
  const need = <T>(resource: T | undefined, what: string): T => {
    if (resource !== undefined) return resource;
    throw new ConfigError(
      `Server strategy ${config.name} needs ${what}; give the server some, or choose another strategy.`,
    );
  };
  switch (config.name) {
    case "fltrust-root": {
      const trusted = need(resources.trusted, "a trusted root set");
      const root = chooseSamples(trusted, config.samples, random.derive("root set"));
      return flTrustRoot(model, root, need(resources.plan, "the members' training plan"));
    }
    case "fedredefense": {
      const { core } = config;
      if (core.kind === "distilled") return fedRedefenseDistilled(model, core.perClass, core, core.threshold);
      const unlabelled = need(resources.unlabelled, "samples for its probes");
      return fedRedefenseProbes(
        model,
        chooseSamples(unlabelled, core.probes, random.derive("probes")),
        core.ridge,
        core.threshold,
      );
    }
    case "feddf":
      return fedDf(model, need(resources.unlabelled, "unlabelled samples"), config, resources.validation);
    case "functional":
      return functionalAggregation(model.parameterCount, model.config.classes, config.weighting);
    case "fedmcon":
      return fedMcon(model, need(resources.trusted, "a labelled proxy set"), config, random.derive("fedmcon"));
    case "pfedgpa":
      return pFedGpa(model, config);
  }
}
