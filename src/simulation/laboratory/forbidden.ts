// SPDX-License-Identifier: Apache-2.0
import { hidesSenders } from "../../aggregation/meanOfSenders.ts";
import { needsOf, trustsLosses, weighsBySamples } from "../../aggregation/needsOf.ts";
import { MAX_EXACT_PLAYERS } from "../../incentives/shapley.ts";
import { sendsBeside } from "../../learning/algorithms/sendsBeside.ts";
import { requirePrivateRecipe } from "../../privacy/requirePrivateRecipe.ts";
import { ConfigError } from "../../protocol/errors.ts";
import { MAX_MODEL_SIZE } from "../../protocol/layout.ts";
import { requireCoalitions } from "../../protocol/recipe/scoringConfig.ts";
import { isEnsemble } from "../../round/serverLearning/serverConfig.ts";
import { attacksOf } from "../attacks/attackConfig.ts";
import { attackerCount } from "../attacks/schedule.ts";
import { cohortSize, type FederationConfig } from "./cellConfig.ts";
import { MODELS_APART } from "./heterogeneousRules.ts";
import { sized } from "./modelShares.ts";
import { samplingOf } from "./privateUploads.ts";
import { lastRoundBefore } from "./shift.ts";

/** A combination that would run and mean nothing (spec O, last line), and why. */
export interface Impossibility {
  readonly when: (cell: FederationConfig) => boolean;
  readonly because: string;
}

const attacked = ({ attack }: FederationConfig): boolean => attack !== undefined;

const scheduled = ({ schedule }: FederationConfig): boolean => schedule !== undefined;
const voting = ({ server }: FederationConfig): boolean => server !== undefined && isEnsemble(server);

/** Modes whose updates leave the model's own coordinates as they are (learning/algorithms/lora.ts). */
const movesFactorsAlone = ({ client }: FederationConfig): boolean => client?.name === "lora" && client.mode !== "stack";

const IMPOSSIBLE: readonly Impossibility[] = [
  ...MODELS_APART,
  {
    when: (cell) =>
      attacked(cell) && cell.aggregation.rule === "fedatt" && cell.aggregation.parameters.attention === "distance",
    because:
      "FedAtt by distance gives most weight to the longest update, so an attack takes the model over; choose cosine attention",
  },
  {
    when: (cell) => attacked(cell) && trustsLosses(cell.aggregation),
    because:
      "the rule trusts reported losses, so a liar takes all the weight; set its capMads, or take a rule that does not",
  },
  {
    when: (cell) => new Set(attacksOf(cell.attack).map((attack) => attackerCount(attack, cell.members))).size > 1,
    because: "several attacks are carried out by the same attackers; say the same count or fraction in each",
  },
  {
    when: ({ client, training }) =>
      client?.name === "scaffold" && client.option === "II" && "momentum" in training && training.momentum > 0,
    because:
      "SCAFFOLD's option II reads the control variate off the way walked, which momentum bends; set training.momentum to 0 or take option I",
  },
  {
    when: ({ client, serverOptimiser }) =>
      sendsBeside(client) && serverOptimiser !== undefined && serverOptimiser.name !== "none",
    because:
      "the client algorithm sends tensors beside the model, which a server optimiser would move as if they were updates; leave serverOptimiser out",
  },
  {
    when: ({ client, update }) =>
      client?.name === "fedeba" && client.switchAngle !== undefined && update.maxCoordinate < 1,
    because: "switchAngle sends losses in numbers up to 1, which update.maxCoordinate would cut; set it to 1 or more",
  },
  {
    when: (cell) => {
      const { losses, accuracies } = needsOf(cell.aggregation);
      const reads = losses === true || accuracies === true || cell.scoring !== undefined || cell.server !== undefined;
      return movesFactorsAlone(cell) && reads;
    },
    because:
      "scores, server strategies, ensembles and reported losses are of the model's own coordinates, which LoRA moves in mode stack alone; take client.mode stack",
  },
  {
    when: ({ aggregation, server }) => (aggregation.rule === "fltrust") !== (server?.name === "fltrust-root"),
    because:
      "the rule fltrust and the server strategy fltrust-root, which trains its reference, are two halves of one method; name both",
  },
  {
    when: ({ aggregation, update }) => hidesSenders(aggregation, update.codec) !== undefined,
    because:
      "a sparse codec sends a coordinate when enough has waited for it, so that who sent a tensor says nothing to the rule mean-of-senders; take a dense codec, or another rule",
  },
  {
    when: (cell) => needsOf(cell.aggregation).staleness === true && !scheduled(cell),
    because: "the rule weighs by staleness, and in rounds nothing is stale; take a schedule (fedasync, fedbuff, fedqs)",
  },
  {
    when: ({ client, localTest, models }) => client?.name === "functional" && localTest === 0 && models === undefined,
    because: "functional aggregation has no model of all to measure; set localTest, so that members' own are",
  },
  {
    when: ({ client, resources }) => client?.name === "hmsdfl" && client.tiers !== undefined && resources === undefined,
    because: "resource tiers need to know how fast members are; set resources, e.g. [5, 3, 1.5, 0.5]",
  },
  {
    when: ({ client, resources }) => client?.name === "fedprox" && client.partialWork && resources === undefined,
    because: "partial work needs to know how fast members are; set resources, e.g. [1, 0.5, 0.2]",
  },
  {
    when: (cell) => cell.client?.name === "fedprox" && cell.client.partialWork && scheduled(cell),
    because:
      "a schedule waits for every member's whole work, so that none of it is partial; leave partialWork or schedule out",
  },
  {
    when: ({ privacy, participation, members }) =>
      privacy !== undefined &&
      "sampling" in privacy &&
      privacy.sampling !== undefined &&
      privacy.sampling.rate !==
        (privacy.sampling.kind === "poisson" ? participation : cohortSize({ participation, members }) / members),
    because:
      "privacy would be counted for another sampling than is drawn; set privacy.sampling.rate to participation (for fixed-size cohorts to K/N)",
  },
  {
    when: ({ privacy, client }) => privacy?.mode === "record" && client !== undefined && client.name !== "fedavg",
    because: "privacy of records is a way of training of its own (DP-SGD under FedAvg); leave client out",
  },
  {
    when: ({ client, server, models }) =>
      models === undefined && (client?.name === "functional") !== (server?.name === "functional"),
    because:
      "the client algorithm functional and the server strategy functional are two halves of one method; name both",
  },
  {
    when: ({ privacy, server }) => privacy !== undefined && privacy.mode !== "none" && server !== undefined,
    because:
      "a server strategy reads single updates, and what it learns from them is not covered by the noise; take one of both",
  },
  {
    when: ({ scoring, server }) => scoring !== undefined && server !== undefined,
    because:
      "scores are of what the rule alone makes of updates, and the server strategy makes something else of them; take one of both",
  },
  {
    when: (cell) =>
      cell.privacy?.mode === "distributed" && attacksOf(cell.attack).some(({ name }) => name === "non-finite"),
    because: "updates that are refused take their part of the distributed noise with them; leave the attack out",
  },
  {
    when: ({ privacy, serverOptimiser }) =>
      privacy?.mode === "central" && serverOptimiser !== undefined && serverOptimiser.name !== "none",
    because:
      "central noise is added to what the server optimiser has made, whose steps no clip norm bounds; leave serverOptimiser out",
  },
  {
    when: ({ aggregation, scoring }) => needsOf(aggregation).contributions === true && scoring === undefined,
    because:
      "the rule weighs by contributions; say how they are scored (scoring: {}) and on what (serverData.validation)",
  },
  {
    when: ({ scoring, serverData }) =>
      scoring !== undefined && (scoring.method !== "cosine" || scoring.compare === true) && serverData.validation === 0,
    because: "scores need samples to measure on; set serverData.validation",
  },
  {
    when: (cell) =>
      (cell.scoring?.method === "exact" || cell.scoring?.compare === true) && cohortSize(cell) > MAX_EXACT_PLAYERS,
    because: `exact scores ask for a model of every coalition, and are for at most ${MAX_EXACT_PLAYERS} members a round; take another scoring.method, and leave scoring.compare out`,
  },
  {
    when: ({ scoring, privacy, members }) =>
      (scoring?.method === "exact" || scoring?.compare === true) &&
      privacy !== undefined &&
      "sampling" in privacy &&
      privacy.sampling?.kind === "poisson" &&
      members > MAX_EXACT_PLAYERS,
    because: `Poisson sampling may draw everybody, and exact scores are for at most ${MAX_EXACT_PLAYERS} members a round; take another scoring.method, and leave scoring.compare out`,
  },
  {
    when: ({ scoring, aggregation }) =>
      scoring?.method === "cosine" && ["fedatt", "mean-of-senders"].includes(aggregation.rule),
    because: "scores by cosines need one weight for a whole update, and the rule has one for each layer; take another",
  },
  {
    when: (cell) => scheduled(cell) && cell.server !== undefined,
    because: "a server strategy takes the updates of a round together, and a schedule has no rounds; take one of both",
  },
  {
    when: (cell) => scheduled(cell) && cell.servers !== undefined,
    because: "a server is chosen for a round, and a schedule has none; leave servers or schedule out",
  },
  {
    when: (cell) => voting(cell) && cell.servers !== undefined,
    because: "an ensemble's groups would be aggregated at one place each, and a choice is of one; leave servers out",
  },
  {
    when: (cell) => scheduled(cell) && cell.privacy !== undefined && cell.privacy.mode !== "none",
    because: "accounts of privacy count rounds and their cohorts, and a schedule has neither; leave privacy out",
  },
  {
    when: (cell) => scheduled(cell) && attacked(cell),
    because: "attacks are crafted against the updates of a cohort, and a schedule has none; leave the attack out",
  },
  {
    when: (cell) =>
      scheduled(cell) && (cell.aggregation.rule !== "weighted-mean" || cell.aggregation.before !== undefined),
    because: "what arrives is weighed by the schedule's own policy; leave aggregation out",
  },
  {
    when: (cell) => scheduled(cell) && cell.serverOptimiser !== undefined && cell.serverOptimiser.name !== "none",
    because: "the length of a step is the schedule's own (mixing, stepSize); leave serverOptimiser out",
  },
  {
    when: (cell) => scheduled(cell) && cell.scoring !== undefined,
    because: "contributions are those to a round, and a schedule has none; leave scoring out",
  },
  {
    when: (cell) => scheduled(cell) && cell.update.downlink !== undefined,
    because:
      "a compressed downlink follows the model from round to round, and with a schedule members miss versions; leave update.downlink out",
  },
  {
    when: (cell) => scheduled(cell) && cell.participation !== 1,
    because: "how many members work at a time is schedule.concurrency; leave participation out",
  },
  {
    when: ({ schedule, members }) => (schedule?.concurrency ?? 1) > members,
    because: "schedule.concurrency is above the number of members",
  },
  {
    when: ({ schedule, training }) => schedule?.name === "fedqs" && schedule.learningRate !== training.learningRate,
    because: "FedQS starts from the members' own learning rate; set schedule.learningRate to training.learningRate",
  },
  {
    when: (cell) => voting(cell) && (cell.evaluate.jacobianSamples > 0 || cell.evaluate.marginSamples !== undefined),
    because:
      "an ensemble is no function whose Jacobian could be measured; leave evaluate.jacobianSamples and marginSamples out",
  },
  {
    when: ({ shift, data }) => shift !== undefined && !("shift" in data && data.shift > 0),
    because: "only s-iot is made with a change of distribution (data.shift above 0); leave shift out",
  },
  {
    when: (cell) => cell.shift !== undefined && (lastRoundBefore(cell) as number) < 1,
    because: "the data would change before the first round; take more rounds, or a later shift.after",
  },
  {
    when: ({ shift, privacy }) => shift !== undefined && privacy?.mode === "record",
    because: "privacy of records is counted for the samples that a member has, and they change; leave shift out",
  },
  {
    when: ({ participation, members }) => Math.ceil(participation * members) < 1,
    because: "nobody would be invited",
  },
];

/** @throws ConfigError with the first reason why a cell makes no sense. */
export function requirePossible(cell: FederationConfig, where: string): void {
  for (const { when, because } of IMPOSSIBLE) if (when(cell)) throw new ConfigError(`${where}: ${because}.`, { where });
  try {
    requireCoalitions(cell.scoring ?? {});
    const { privacy, update } = sized(cell, MAX_MODEL_SIZE);
    if (privacy === undefined) return;
    requirePrivateRecipe({
      privacy,
      codec: update.codec,
      size: MAX_MODEL_SIZE,
      cohort: cohortSize(cell),
      sampling: samplingOf(cell),
      rule: { name: cell.aggregation.rule, sizeWeighted: weighsBySamples(cell.aggregation) },
      singleUpdatesSeen: false,
      replayable: false,
    });
  } catch (error) {
    throw error instanceof ConfigError ? new ConfigError(`${where}: ${error.message}`, { where }, error) : error;
  }
}
