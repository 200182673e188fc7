// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { dataSchema, partitionSchema } from "../../data/dataConfig.ts";
import type { LoadedData } from "../../data/loadedData.ts";
import { aggregationSchema } from "../../protocol/recipe/aggregationConfig.ts";
import { clientSchema } from "../../protocol/recipe/clientConfig.ts";
import { type ModelConfig, modelSchema } from "../../protocol/recipe/modelConfig.ts";
import { serverOptimiserSchema } from "../../protocol/recipe/serverOptimiserConfig.ts";
import { trainingSchema } from "../../protocol/recipe/trainingConfig.ts";
import { asyncSchema, serverSchema, serversSchema } from "../../round/serverLearning/serverConfig.ts";
import { attackSchema } from "../attacks/attackConfig.ts";
import { studySchema } from "../studies/table.ts";
import { COUNT_ONCE, countedOnce, type Sized, statedCodecSchema, statedPrivacySchema } from "./modelShares.ts";

const count = z.int().min(1).max(1_000_000);

const downlinks = statedCodecSchema.options.map((codec) =>
  codec.extend({
    /** H: how many movements the server keeps for members that were away. */
    history: z.int().min(1).max(1_000).default(20),
  }),
);

type Downlink = (typeof downlinks)[number];

const architecture = z.looseObject({ kind: z.string() });

/** A federation to simulate: what a run's recipe says, and the data, members and attackers that it meets. */
export const federationSchema = z.strictObject({
  /** N. */
  members: count.max(2_048),
  /** K/N: the share of members invited to a round, drawn anew each round; 1 invites all. */
  participation: z.number().gt(0).max(1).default(1),
  /** With a schedule, how many times the model moves. */
  rounds: count.max(100_000),
  /** Without rounds: members work at their own speed on a virtual clock (src/round/serverLearning/asynchrony). */
  schedule: asyncSchema.optional(),
  /** Who aggregates: candidate servers of which one is chosen each round; rounds then take virtual time (src/round/serverLearning/serverClock.ts). */
  servers: serversSchema.optional(),
  data: dataSchema,
  partition: partitionSchema,
  /** From when on members train and all is tested on the data after their change of distribution (s-iot): after that share of the rounds. */
  shift: z.strictObject({ after: z.number().gt(0).lt(1).default(0.5) }).optional(),
  /** Share of its samples that a member keeps out of training to measure its own model on; 0 measures no members. */
  localTest: z.number().min(0).lt(1).default(0),
  /** As in a recipe, without `inputs` and `classes`, which the data say. With `models`, the server's student where it has one. */
  model: architecture.optional(),
  /** Members' own architectures, taken in turn; predictions travel between them (heterogeneous.ts). */
  models: z.array(architecture).min(1).max(64).optional(),
  training: trainingSchema,
  client: clientSchema.optional(),
  privacy: statedPrivacySchema.optional(),
  update: z
    .strictObject({
      codec: statedCodecSchema.refine(countedOnce, COUNT_ONCE).default({ name: "int16", blockSize: 256 }),
      /** How the model's movement is coded on its way down (double compression, src/update/downlink.ts); left out: the model is sent whole. */
      downlink: z
        .discriminatedUnion("name", downlinks as [Downlink, ...Downlink[]])
        .refine(countedOnce, COUNT_ONCE)
        .optional(),
      /** F of every tensor. */
      fractionBits: z.int().min(8).max(24).default(18),
      /** Largest change of one parameter, and longest update, in units of the parameters. */
      maxCoordinate: z.number().positive().max(64).default(16),
      maxNorm: z.number().positive().max(1e6).default(1_000),
      /** Whether members keep what an upload left unsaid and add it to the next; a node always does. */
      errorFeedback: z.boolean().default(true),
    })
    .prefault({}),
  aggregation: aggregationSchema.default({ rule: "weighted-mean" }),
  serverOptimiser: serverOptimiserSchema.optional(),
  /** Learning on the server's side (src/round/serverLearning): a strategy, or an ensemble of models that vote. */
  server: serverSchema.optional(),
  /** Samples that the server keeps for itself: trusted ones (root set, proxy set, unlabelled samples) and ones to choose by. */
  serverData: z
    .strictObject({ samples: z.int().min(0).default(0), validation: z.int().min(0).default(0) })
    .prefault({}),
  /** Contributions by Shapley values on the server's validation samples: for rules that weigh by them, or to compare; their mean leaves a share of the past. */
  scoring: z
    .strictObject({
      /** How coalitions are chosen (spec F2–F6); left out: monte-carlo. The last three ask for none. */
      method: z.enum(["exact", "monte-carlo", "truncated", "gtg", "in-run-1", "in-run-2", "cosine"]).optional(),
      /** What a coalition is worth: what the round's weights make of it (left out), or what the rule decides from it alone. */
      coalitions: z.enum(["weights", "rule"]).optional(),
      /** Also the exact values, at most ten updates a round: figures scoreError and scoreRank say how far the method is off. */
      compare: z.boolean().optional(),
      /** Antithetic orders; of gtg, the most. */
      permutations: z.int().min(2).max(10_000).multipleOf(2).default(30),
      /** A scan stops so near to v(N), and gtg skips rounds that gain no more; units of 2^-20 nats, 0 never. */
      truncation: z.int().min(0).default(1_024),
      memory: z.number().min(0).lt(1).default(0.7),
    })
    .optional(),
  /** How fast members' machines are, in turn (spec B10.2: steps they can do over steps a round needs); for algorithms with resource tiers. */
  resources: z.array(z.number().positive().max(1e6)).min(1).max(2_048).optional(),
  /** α of the reputation rule. */
  reputationMemory: z.number().min(0).lt(1).default(0.9),
  /** One attack, or several that the same attackers carry out one after the other. */
  attack: z.union([attackSchema, z.array(attackSchema).min(1).max(4)]).optional(),
  evaluate: z
    .strictObject({
      /** Every how many rounds; the last is always evaluated. */
      every: count.default(1),
      /** Also the mean squared Frobenius norm of the Jacobian of the logits by the parameters, over this many test samples, at the end. */
      jacobianSamples: z.int().min(0).max(10_000).default(0),
      /** Also the mean distance of this many test samples from the decision boundary (spec B10.5), at the end: figure marginDistance. */
      marginSamples: z.int().min(1).max(10_000).optional(),
      /** Also how well the final model's scores rank the test samples: figures auroc, detectionAtFpr5 and macroF1. */
      ranking: z.boolean().optional(),
      /** Also how good members' own models are on the test set, at the end: figure ownAccuracy. Always, where architectures differ. */
      own: z.boolean().optional(),
    })
    .prefault({}),
});

export type FederationConfig = z.infer<typeof federationSchema>;

/** Once the model's size is known. */
export type SizedFederation = Sized<FederationConfig>;

/** What a cell runs: a federation, or a study of one mechanism (src/simulation/studies). */
const studyCellSchema = z.strictObject({ study: studySchema });

export type CellConfig = FederationConfig | z.infer<typeof studyCellSchema>;

/** What is wrong is said of what was meant, which a union of both would hide. @throws z.ZodError */
export function parseCell(value: Readonly<Record<string, unknown>>): CellConfig {
  return "study" in value ? studyCellSchema.parse(value) : federationSchema.parse(value);
}

/** K: members invited to a round. Rounded before it is rounded up, since 0.07·100 is 7.000000000000001. */
export function cohortSize({ participation, members }: Pick<FederationConfig, "participation" | "members">): number {
  return Math.max(1, Math.ceil(Math.round(participation * members * 1e9) / 1e9));
}

/** The model of a cell, once its data are known; where members have their own and the server none, the first of theirs. @throws z.ZodError */
export function modelOf({ model, models }: FederationConfig, data: LoadedData): ModelConfig {
  return architectureFor(model ?? models?.[0], data);
}

/** An architecture as a cell states it, with what the data say. @throws z.ZodError */
export function architectureFor(stated: FederationConfig["model"], { train, vocabulary }: LoadedData): ModelConfig {
  const known = vocabulary === undefined ? {} : { vocabulary };
  return modelSchema.parse({ ...known, ...stated, inputs: train.inputs, classes: train.classes });
}
