// SPDX-License-Identifier: Apache-2.0
import { writeFile } from "node:fs/promises";
import { z } from "zod";
import { weightGroups } from "../aggregation/weightGroups.ts";
import { MAX_EXACT_PLAYERS } from "../incentives/shapley.ts";
import { auxiliaryTensors, initialState } from "../learning/algorithms/table.ts";
import { AGREED_ENGINE } from "../learning/engines/agreed.ts";
import { initialiseParameters, parameterLayout } from "../learning/layout.ts";
import { type Hints, parseConfig } from "../process/config.ts";
import { loadOwnData, type OwnData } from "../process/ownData.ts";
import { readYaml } from "../process/readYaml.ts";
import type { Dataset } from "../protocol/dataset.ts";
import { ConfigError } from "../protocol/errors.ts";
import { modelLayout } from "../protocol/layout.ts";
import { keyedRandom } from "../protocol/random.ts";
import type { ModelConfig } from "../protocol/recipe/modelConfig.ts";
import { scoringSchema } from "../protocol/recipe/scoringConfig.ts";
import { recipeSchema } from "../protocol/recipe.ts";
import { type PreparedRun, prepareRun, type RecipeDraft } from "../round/prepareRun.ts";
import { requirePrivateRun } from "../round/privateRun.ts";
import { openStore } from "../storage/openStore.ts";
import { parseStoreUrl } from "../storage/storeConfig.ts";

const { layout } = recipeSchema.shape;
const [exact] = scoringSchema.options;
const blocks = z.int().min(1).max(4_294_967_295);
const q16 = z.int().min(0).max(65_536);
const amount = z.union([z.int().min(0).transform(String), z.string().regex(/^(?:0|[1-9][0-9]{0,38})$/)]);

/** What `openRun` takes beside the recipe. Which values are sound together is the contract's to decide. */
const runSchema = z.strictObject({
  rounds: blocks,
  maxOpenings: blocks,
  cohort: blocks,
  capacity: z.int().min(3).max(65_535),
  minAccepted: z.int().min(3).max(65_535),
  commitBlocks: blocks,
  judgeBlocks: blocks,
  fetchBlocks: blocks,
  attestBlocks: blocks,
  viewBlocks: blocks,
  challengeBlocks: blocks,
  alphaQ16: q16,
  omegaQ16: q16,
  pool: amount.default("0"),
  disputeBond: amount.default("0"),
  token: z
    .string()
    .regex(/^0x[0-9a-fA-F]{40}$/)
    .optional(),
  verifier: z
    .string()
    .regex(/^0x[0-9a-fA-F]{40}$/)
    .optional(),
});

/** A recipe as people write it: layout and engine follow from the model and this release unless they are given. */
const draftSchema = z.strictObject({
  ...recipeSchema.shape,
  version: recipeSchema.shape.version.default(1),
  layout: layout.optional(),
  /** F of every tensor, where `layout` is left out. */
  fractionBits: z.int().min(0).max(24).default(18),
  scoring: z.strictObject({
    mode: z.enum(["exact", "attested"]),
    method: exact.shape.method,
    coalitions: exact.shape.coalitions,
    permutations: exact.shape.permutations,
    truncation: exact.shape.truncation,
    engine: z.strictObject({ batchSize: exact.shape.engine.shape.batchSize }),
  }),
  run: runSchema,
});

const hints: Hints = {
  version: "write 1, or leave it out",
  name: "write a name for people",
  model: "write e.g. model: { kind: mlp, inputs: 64, hidden: [32], classes: 10, activation: relu }",
  layout: "leave it out: it follows from the model and the client algorithm",
  fractionBits: "write a number from 0 to 24; 18 is usual",
  training:
    "write e.g. training: { localSteps: 80, batchSize: 20, learningRate: 0.05, momentum: 0.9 }, localEpochs in place of localSteps if you like, or with optimiser: adagrad (or sm3), epsilon: 0.001, initialAccumulator: 0 in place of momentum",
  client: "leave it out for FedAvg, or write e.g. client: { name: fedprox, mu: 0.01 }",
  privacy:
    "leave it out for none, or write e.g. privacy: { mode: local, clipNorm: 1, noiseMultiplier: 20, budget: { epsilon: 4, delta: 0.00001 }, loss: { clip: 4, noiseMultiplier: 20 }, pipeline: { name: P2, errorFeedback: false } }",
  update:
    'write e.g. update: { codec: { name: int8, blockSize: 128 }, maxCoordinate: 1048576, maxNormSq: "281474976710656" }',
  aggregation: "write e.g. aggregation: { rule: byzfed, parameters: { filter: tau, tau: 2, sizeWeighted: false } }",
  serverOptimiser:
    "leave it out for none, or write e.g. serverOptimiser: { name: fedadam, learningRate: 0.1, beta1: 0.9, beta2: 0.99, tau: 0.001 }",
  scoring:
    "write e.g. scoring: { mode: exact, permutations: 30, truncation: 1024, engine: { batchSize: 120 } }; mode is exact or attested",
  criterion: "write e.g. criterion: { progress: 655, tolerance: 655, maxUpdateNorm: 0.5 }",
  run: "write the parameters of openRun, as docs/running-a-consortium.md shows",
  ...Object.fromEntries(
    Object.keys(runSchema.shape).map((name) => [
      `run.${name}`,
      `docs/running-a-consortium.md says what to choose for ${name}`,
    ]),
  ),
};

export interface PrepareRequest {
  readonly recipe: string;
  readonly store: string;
  /** Exactly with exact scoring. */
  readonly heldOut?: string | undefined;
  readonly heldOutScale?: number | undefined;
  readonly initSeed: string;
  readonly out: string;
}

/** What was published, and what a reader of the recipe should know of its privacy. */
export interface PublishedRun extends PreparedRun {
  readonly remarks: readonly string[];
}

/** A recipe with its run's parameters, as its YAML says. @throws ConfigError */
export function parseRecipeFile(value: unknown, file: string): z.output<typeof draftSchema> {
  return parseConfig(draftSchema, hints, value, file);
}

/** Bytes of weights in one transaction: nodes of the common clients pass on none above 128 KiB, and the rest of a finalisation needs some. */
const MOST_WEIGHT_BYTES = 98_304;
/** Of an element of an array in calldata. */
const WORD = 32;

/** @throws ConfigError where a full round's weights would not fit into the transaction that finalises it. */
function requireColumnsFit(layout: RecipeDraft["layout"], capacity: number): void {
  const groups = new Set(layout.map(({ group }) => group)).size;
  const bytes = capacity * groups * WORD;
  if (bytes <= MOST_WEIGHT_BYTES) return;
  throw new ConfigError(
    `A full round has ${capacity} × ${groups} weights, ${bytes} bytes of the transaction that finalises it, and nodes pass on no transaction above 128 KiB. Give a layout with at most ${Math.floor(MOST_WEIGHT_BYTES / (capacity * WORD))} groups, or a smaller run.capacity.`,
    { capacity, groups, bytes },
  );
}

/** Publishes what a run starts from and writes its run file. @throws ConfigError, DataError, StoreConfigInvalid */
export async function prepareRunFile(request: PrepareRequest): Promise<PublishedRun> {
  const how = "write one as docs/running-a-consortium.md shows";
  const { run, fractionBits, ...written } = parseRecipeFile(await readYaml(request.recipe, how), request.recipe);
  const { scoring, layout, ...rest } = written;
  if (scoring.method === "exact" && run.capacity > MAX_EXACT_PLAYERS)
    throw new ConfigError(
      `scoring.method exact evaluates every coalition of at most ${MAX_EXACT_PLAYERS} updates, and run.capacity is ${run.capacity}: choose monte-carlo, gtg or in-run, or a smaller capacity.`,
      { capacity: run.capacity },
    );
  const auxiliary = auxiliaryTensors(rest.client, rest.training, rest.model);
  const tensors = [...parameterLayout(rest.model), ...auxiliary];
  const groups = weightGroups(
    rest.aggregation,
    tensors.map(({ name }) => name),
  );
  const draft: RecipeDraft = {
    ...rest,
    layout:
      layout ??
      tensors.map(({ name, shape }, at) => ({
        name,
        shape: [...shape],
        fractionBits,
        group: groups[at] as number,
      })),
    scoring: {
      ...scoring,
      engine: { package: AGREED_ENGINE.package, version: AGREED_ENGINE.version, ...scoring.engine },
    },
  };
  requireColumnsFit(draft.layout, run.capacity);
  const remarks = requirePrivateRun(draft, {
    size: modelLayout(draft.layout).size,
    cohort: Math.min(run.cohort, run.capacity),
  });
  const heldOut = await publicHeldOut(request, draft);
  const place = parseStoreUrl(request.store);
  if (place.kind !== "helia" || place.folder === undefined) {
    throw new ConfigError("What is published must last: give a store with a folder, e.g. --store 'helia:store'.", {
      store: request.store,
    });
  }
  const store = await openStore(place);
  try {
    const prepared = await prepareRun(
      store,
      draft,
      initialState(initialiseParameters(draft.model, keyedRandom(request.initSeed, "initialModel")), auxiliary),
      heldOut,
    );
    await writeFile(request.out, `${JSON.stringify({ ...prepared, ...run }, undefined, 2)}\n`).catch(
      (cause: unknown) => {
        throw new ConfigError(
          `${request.out} cannot be written (${(cause as Error).message}). Choose another --out.`,
          {},
          cause,
        );
      },
    );
    return { ...prepared, remarks };
  } finally {
    await store.close();
  }
}

/** @throws ConfigError unless a set is named exactly with exact scoring. */
async function publicHeldOut(
  { heldOut: file, heldOutScale: scale }: PrepareRequest,
  { model, scoring }: RecipeDraft,
): Promise<Dataset | undefined> {
  if (scoring.mode === "attested") {
    if (file === undefined) return undefined;
    throw new ConfigError(
      "With attested scoring every validator has held-out data of its own (heldOut in its configuration), and what is prepared is published: leave --held-out out.",
    );
  }
  if (file === undefined) throw new ConfigError("Exact scoring needs the public held-out set: --held-out <file>.");
  return await loadOwnData(heldOutConfig(file, scale, model), model, "--held-out");
}

function heldOutConfig(file: string, scale = 1, model: ModelConfig): OwnData {
  if (!/\.csv(?:\.gz)?$/i.test(file)) return { kind: "dataset", file };
  if (!Number.isFinite(scale) || scale === 0) throw new ConfigError("--held-out-scale is a number and not 0.");
  return { kind: "csv", file, inputs: model.inputs, classes: model.classes, scale, header: false };
}
