// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { decodeUtf8, toHex, utf8 } from "./bytes.ts";
import { canonicalJson, type Json, parseCanonicalJson } from "./canonicalJson.ts";
import { ConfigError } from "./errors.ts";
import { keccak256 } from "./hash.ts";
import { type ModelLayout, modelLayout } from "./layout.ts";

const positiveInteger = z.int().min(1);
const decimalInteger = z.string().regex(/^[1-9][0-9]{0,76}$/, "a positive decimal integer");

const modelSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("logistic"), inputs: positiveInteger, classes: z.int().min(2) }),
  z.strictObject({
    kind: z.literal("mlp"),
    inputs: positiveInteger,
    hidden: z.array(positiveInteger).min(1).max(16),
    classes: z.int().min(2),
    activation: z.literal("relu"),
  }),
]);

const codecSchema = z.discriminatedUnion("name", [
  z.strictObject({ name: z.enum(["int16", "int8"]), blockSize: z.int().min(1).max(65_536) }),
  z.strictObject({
    name: z.enum(["topk-int16", "topk-int8"]),
    blockSize: z.int().min(1).max(65_536),
    keep: positiveInteger,
  }),
]);

const byzFedParameters = z.union([
  z.strictObject({ filter: z.literal("tau"), tau: z.number().positive().max(1000), sizeWeighted: z.boolean() }),
  z.strictObject({ filter: z.literal("mad"), k: z.number().positive().max(1000), sizeWeighted: z.boolean() }),
]);

/** f, the Byzantine updates to reckon with. */
const byzantine = z.int().min(0).max(1_023);

/** What comes before the rule, in this order: K updates are replaced by means of them. */
const before = z
  .array(
    z.discriminatedUnion("step", [
      z.strictObject({ step: z.literal("nearest-neighbour-mixing"), byzantine }),
      z.strictObject({ step: z.literal("bucketing"), size: z.int().min(2).max(32) }),
    ]),
  )
  .min(1)
  .refine((steps) => new Set(steps.map(({ step }) => step)).size === steps.length, "each step at most once")
  .optional();

const aggregationSchema = z.discriminatedUnion("rule", [
  z.strictObject({ rule: z.literal("weighted-mean"), before }),
  z.strictObject({ rule: z.literal("coordinate-median"), before }),
  z.strictObject({
    rule: z.literal("trimmed-mean"),
    parameters: z.strictObject({ trim: z.int().min(0).max(1_023) }),
    before,
  }),
  z.strictObject({ rule: z.literal("geometric-median"), before }),
  z.strictObject({ rule: z.literal("krum"), parameters: z.strictObject({ byzantine }), before }),
  z.strictObject({
    rule: z.literal("multi-krum"),
    /** How many are averaged; K−f when left out. */
    parameters: z.strictObject({ byzantine, selected: positiveInteger.max(2_048).optional() }),
    before,
  }),
  z.strictObject({ rule: z.literal("bulyan"), parameters: z.strictObject({ byzantine }), before }),
  z.strictObject({ rule: z.literal("byzfed"), parameters: byzFedParameters, before }),
  z.strictObject({
    rule: z.literal("centred-clipping"),
    parameters: z.strictObject({
      /** Longest pull of one update, in units of parameters. */
      radius: z.number().min(1e-9).max(1e9),
      iterations: positiveInteger.max(100),
    }),
    before,
  }),
]);

const perStep = {
  localSteps: positiveInteger.max(1_000_000),
  batchSize: positiveInteger.max(65_536),
  learningRate: z.number().positive().max(100),
};

/** A member's optimiser; whatever it remembers starts anew every round and never leaves the member. */
const trainingSchema = z.discriminatedUnion("optimiser", [
  z.strictObject({
    ...perStep,
    optimiser: z.literal("sgd-momentum").optional(),
    momentum: z.number().min(0).lt(1),
  }),
  z.strictObject({
    ...perStep,
    optimiser: z.enum(["adagrad", "sm3"]),
    /** ε, added to the root. */
    epsilon: z.number().positive().max(1),
    /** What every sum of squares starts from each round; above 0 the first steps are less like those of a sign. */
    initialAccumulator: z.number().min(0).max(1),
  }),
]);

const beta = z.number().min(0).lt(1);
const adaptive = {
  /** η_g. */
  learningRate: z.number().positive().max(1000),
  beta1: beta,
  tau: z.number().min(1e-12).max(1000),
};

/** What stands between the rule's movement and the model's (src/aggregation/serverOptimiser.ts). */
const serverOptimiserSchema = z.discriminatedUnion("name", [
  z.strictObject({ name: z.literal("none") }),
  z.strictObject({ name: z.literal("fedavgm"), learningRate: adaptive.learningRate, momentum: beta }),
  z.strictObject({ name: z.literal("fedadagrad"), ...adaptive }),
  z.strictObject({ name: z.enum(["fedadam", "fedyogi"]), ...adaptive, beta2: beta }),
]);

const shapley = {
  /** Monte-Carlo permutations; antithetic pairs, so even. */
  permutations: z.int().min(2).max(100_000).multipleOf(2),
  /** A scan stops when |v(kept) − v(prefix)| is below this; units 2^-20 nats; 0 never stops. */
  truncation: z.int().min(0),
  engine: z.strictObject({
    package: z.literal("onnxruntime-web"),
    version: z.string(),
    batchSize: positiveInteger.max(65_536),
  }),
};

/** What updates are scored on: public data, so that scores are part of the result; or each validator's own, of which it only attests scores. */
export const scoringSchema = z.discriminatedUnion("mode", [
  z.strictObject({
    mode: z.literal("exact"),
    /** Public held-out set in the store. */
    heldOutCid: z.string().regex(/^0x[0-9a-f]{64}$/),
    heldOutDigest: z.string().regex(/^0x[0-9a-f]{64}$/),
    ...shapley,
  }),
  z.strictObject({ mode: z.literal("attested"), ...shapley }),
]);

/**
 * The run's recipe: everything members and validators must agree on that the contracts do not need to read. Its canonical JSON lies in the
 * store; its keccak256 is in the run's parameters on chain, and so in every head.
 */
export const recipeSchema = z.strictObject({
  version: z.literal(1),
  name: z.string().min(1).max(200),
  model: modelSchema,
  layout: z
    .array(
      z.strictObject({
        name: z.string(),
        shape: z.array(positiveInteger).min(1).max(8),
        fractionBits: z.int().min(0).max(24),
        group: z.int().min(0),
      }),
    )
    .min(1),
  /** What every member does with its shard each round. */
  training: trainingSchema,
  update: z.strictObject({
    codec: codecSchema,
    /** Largest |q| of one coordinate, in grid units. */
    maxCoordinate: positiveInteger.max(16_777_215),
    /** Largest Σq² in units 2^-2F_max. */
    maxNormSq: decimalInteger,
  }),
  aggregation: aggregationSchema,
  /** Left out: none. */
  serverOptimiser: serverOptimiserSchema.optional(),
  scoring: scoringSchema,
  /** What L means to people; it informs and never gates. Units 2^-16 nats. */
  criterion: z.strictObject({
    progress: z.int().min(0),
    tolerance: z.int().min(0),
    maxUpdateNorm: z.number().positive(),
  }),
});

export type Recipe = z.infer<typeof recipeSchema>;
export type AggregationConfig = Recipe["aggregation"];
export type PreAggregationConfig = NonNullable<AggregationConfig["before"]>[number];
export type CodecConfig = Recipe["update"]["codec"];
export type ModelConfig = Recipe["model"];
export type ScoringConfig = Recipe["scoring"];
export type TrainingPlan = Recipe["training"];
export type ServerOptimiserConfig = Exclude<NonNullable<Recipe["serverOptimiser"]>, { readonly name: "none" }>;

/** The recipe's server optimiser; undefined where the model moves as the rule says. */
export function serverOptimiserOf({
  serverOptimiser,
}: Pick<Recipe, "serverOptimiser">): ServerOptimiserConfig | undefined {
  return serverOptimiser === undefined || serverOptimiser.name === "none" ? undefined : serverOptimiser;
}

/** Largest recipe file that is read. */
export const MAX_RECIPE_BYTES = 4 * 1_048_576;

export interface DecodedRecipe {
  readonly recipe: Recipe;
  readonly layout: ModelLayout;
  readonly digest: `0x${string}`;
}

/** Canonical bytes of a recipe, after checking it. */
export function encodeRecipe(recipe: Recipe): Uint8Array {
  return utf8(canonicalJson(validate(recipe) as unknown as Json));
}

/** Recipe from its canonical bytes. */
export function decodeRecipe(bytes: Uint8Array): DecodedRecipe {
  const recipe = validate(parseCanonicalJson(decodeUtf8(bytes)));
  return { recipe, layout: modelLayout(recipe.layout), digest: toHex(keccak256(bytes)) };
}

function validate(value: unknown): Recipe {
  const parsed = recipeSchema.safeParse(value);
  if (!parsed.success) throw new ConfigError(`The recipe is not valid: ${z.prettifyError(parsed.error)}`);
  const recipe = parsed.data;
  const { size } = modelLayout(recipe.layout);
  if ("keep" in recipe.update.codec && recipe.update.codec.keep > size) {
    throw new ConfigError(`The codec keeps ${recipe.update.codec.keep} coordinates of a model that has ${size}.`);
  }
  return recipe;
}

/**
 * How a rule is known on chain: the first 30 bytes of its name's keccak256, then uint16 the least number of updates that it is defined for with
 * the run's parameters, so that opening a run can demand them without knowing parameters.
 */
export function ruleId(rule: string, leastUpdates: number): `0x${string}` {
  const id = keccak256(utf8(rule));
  new DataView(id.buffer, id.byteOffset, id.length).setUint16(30, leastUpdates);
  return toHex(id);
}
