// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { decodeUtf8, toHex, utf8 } from "./bytes.ts";
import { canonicalJson, type Json, parseCanonicalJson } from "./canonicalJson.ts";
import { ConfigError } from "./errors.ts";
import { keccak256 } from "./hash.ts";
import { type ModelLayout, modelLayout } from "./layout.ts";
import { aggregationSchema } from "./recipe/aggregationConfig.ts";
import { clientSchema } from "./recipe/clientConfig.ts";
import { codecSchema, errorFeedbackSchema } from "./recipe/codecConfig.ts";
import { modelSchema } from "./recipe/modelConfig.ts";
import { positiveInteger } from "./recipe/numbers.ts";
import { type PrivacyConfig, privacySchema } from "./recipe/privacyConfig.ts";
import { requireCoalitions, scoringSchema } from "./recipe/scoringConfig.ts";
import { type ServerOptimiserConfig, serverOptimiserSchema } from "./recipe/serverOptimiserConfig.ts";
import { trainingSchema } from "./recipe/trainingConfig.ts";

const decimalInteger = z.string().regex(/^[1-9][0-9]{0,76}$/, "a positive decimal integer");

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
  /** Which algorithm trains; left out: FedAvg. */
  client: clientSchema.optional(),
  /** Left out: none. */
  privacy: privacySchema.optional(),
  update: z.strictObject({
    codec: codecSchema,
    /** What becomes of a residual while its member is away; left out: kept whole for 50 rounds. */
    errorFeedback: errorFeedbackSchema.optional(),
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
/** The recipe's server optimiser; undefined where the model moves as the rule says. */
export function serverOptimiserOf({
  serverOptimiser,
}: Pick<Recipe, "serverOptimiser">): ServerOptimiserConfig | undefined {
  return serverOptimiser === undefined || serverOptimiser.name === "none" ? undefined : serverOptimiser;
}

/** How the recipe protects members' data; undefined where it does not. */
export function privacyOf({ privacy }: Pick<Recipe, "privacy">): Exclude<PrivacyConfig, { mode: "none" }> | undefined {
  return privacy === undefined || privacy.mode === "none" ? undefined : privacy;
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
  requireCoalitions(recipe.scoring);
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
