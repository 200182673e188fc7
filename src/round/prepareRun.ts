// SPDX-License-Identifier: Apache-2.0
import { requireSendersShown } from "../aggregation/meanOfSenders.ts";
import { laboratoryOnly } from "../aggregation/needsOf.ts";
import { ruleIdOf } from "../aggregation/rules.ts";
import { encodeDataset } from "../data/encodeDataset.ts";
import { laboratoryOnly as clientForLaboratory } from "../learning/algorithms/laboratoryOnly.ts";
import { requireLossRange } from "../learning/algorithms/lossAngle.ts";
import { sendsBeside } from "../learning/algorithms/sendsBeside.ts";
import { SCORING } from "../protocol/attestedScores.ts";
import { type Hex, toHex } from "../protocol/bytes.ts";
import { encodeCheckpoint, modelRoot } from "../protocol/checkpoint.ts";
import { chunkRoot } from "../protocol/chunkRoot.ts";
import { digestOfContentId } from "../protocol/contentId.ts";
import type { ContentStore } from "../protocol/contentStore.ts";
import type { Dataset } from "../protocol/dataset.ts";
import { ConfigError } from "../protocol/errors.ts";
import { masterFromFloat } from "../protocol/grid.ts";
import { requireCoalitions, type ScoringConfig } from "../protocol/recipe/scoringConfig.ts";
import { decodeRecipe, encodeRecipe, privacyOf, type Recipe, serverOptimiserOf } from "../protocol/recipe.ts";
import { initialServerState } from "../protocol/serverState.ts";
import { keepsResidual } from "../update/codecs.ts";
import { requireProduct } from "../update/lowRank.ts";

/** The recipe as a consortium writes it: the held-out set's names are filled in when it is published. */
export type RecipeDraft = Omit<Recipe, "scoring"> & {
  readonly scoring:
    | Omit<Extract<ScoringConfig, { mode: "exact" }>, "heldOutCid" | "heldOutDigest">
    | Extract<ScoringConfig, { mode: "attested" }>;
};

/** What `openRun` takes from the preparation. */
export interface PreparedRun {
  readonly recipeDigest: Hex;
  readonly recipeCid: Hex;
  readonly ruleId: Hex;
  readonly initialModelRoot: Hex;
  readonly initialCheckpointCid: Hex;
  /** As `RunParams` has it. */
  readonly scoring: number;
}

/**
 * Puts the recipe, the initial checkpoint and, with exact scoring, the held-out set into the store and serves them.
 * @param heldOut exactly with exact scoring: what is published is no validator's own.
 * @throws ConfigError also for a rule or client algorithm that runs in the laboratory alone; nothing is published then.
 */
export async function prepareRun(
  store: ContentStore,
  draft: RecipeDraft,
  initialParameters: Float32Array,
  heldOut?: Dataset,
): Promise<PreparedRun> {
  const refused = laboratoryOnly(draft.aggregation);
  if (refused !== undefined) throw new ConfigError(refused, { rule: draft.aggregation.rule });
  const clientRefused = clientForLaboratory(
    draft.client,
    draft.layout.map(({ name }) => name),
  );
  if (clientRefused !== undefined) throw new ConfigError(clientRefused, { client: draft.client?.name });
  if (sendsBeside(draft.client) && serverOptimiserOf(draft) !== undefined)
    throw new ConfigError(
      `The client algorithm ${draft.client?.name} sends tensors beside the model, which a server optimiser would move as if they were updates. Leave serverOptimiser out.`,
      { client: draft.client?.name, serverOptimiser: draft.serverOptimiser?.name },
    );
  requireCoalitions(draft.scoring);
  requireResidual(draft);
  requireProduct(draft.layout, draft.update.codec);
  requireLossRange(draft.layout, draft.update);
  requireSendersShown(draft);
  const publish = async (bytes: Uint8Array): Promise<Hex> => {
    const id = await store.put(bytes);
    await store.serve(id);
    return digestOfContentId(id);
  };
  const recipe: Recipe = { ...draft, scoring: await completeScoring(draft.scoring, heldOut, publish) };
  const recipeBytes = encodeRecipe(recipe);
  const { layout, digest } = decodeRecipe(recipeBytes);
  const initial = {
    master: masterFromFloat(initialParameters, layout),
    state: initialServerState(serverOptimiserOf(recipe), layout.size),
  };
  const checkpoint = encodeCheckpoint(initial, { layout, recipe });
  return {
    recipeDigest: digest,
    recipeCid: await publish(recipeBytes),
    ruleId: ruleIdOf(recipe.aggregation),
    initialModelRoot: toHex(modelRoot(checkpoint)),
    initialCheckpointCid: await publish(checkpoint),
    scoring: SCORING[recipe.scoring.mode],
  };
}

/** Where nothing is left unsaid, a recipe that says what becomes of it promises what does not happen. */
function requireResidual(draft: Pick<Recipe, "privacy" | "update">): void {
  const { codec, errorFeedback } = draft.update;
  if (errorFeedback === undefined) return;
  if (!keepsResidual(codec))
    throw new ConfigError(
      `The codec ${codec.name} is unbiased here and leaves nothing for error feedback. Leave update.errorFeedback out.`,
      { codec: codec.name },
    );
  const privacy = privacyOf(draft);
  if (privacy === undefined || privacy.mode === "record") return;
  if ((privacy.mode === "local" ? privacy.pipeline : privacy).errorFeedback) return;
  throw new ConfigError(
    "The recipe's privacy has errorFeedback false, so members keep nothing unsaid. Leave update.errorFeedback out, or set that to true.",
    { mode: privacy.mode },
  );
}

async function completeScoring(
  scoring: RecipeDraft["scoring"],
  heldOut: Dataset | undefined,
  publish: (bytes: Uint8Array) => Promise<Hex>,
): Promise<ScoringConfig> {
  if (scoring.mode === "attested") {
    if (heldOut === undefined) return scoring;
    throw new ConfigError(
      "With attested scoring every validator has held-out data of its own, and none is published: leave the held-out set out.",
    );
  }
  if (heldOut === undefined) throw new ConfigError("Exact scoring needs the public held-out set: name it.");
  const bytes = encodeDataset(heldOut);
  return { ...scoring, heldOutCid: await publish(bytes), heldOutDigest: toHex(chunkRoot(bytes)) };
}
