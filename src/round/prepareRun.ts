// SPDX-License-Identifier: Apache-2.0
import { ruleIdOf } from "../aggregation/rules.ts";
import { encodeDataset } from "../data/encodeDataset.ts";
import { type Hex, toHex } from "../protocol/bytes.ts";
import { encodeCheckpoint, modelRoot } from "../protocol/checkpoint.ts";
import { chunkRoot } from "../protocol/chunkRoot.ts";
import { digestOfContentId } from "../protocol/contentId.ts";
import type { ContentStore } from "../protocol/contentStore.ts";
import type { Dataset } from "../protocol/dataset.ts";
import { masterFromFloat } from "../protocol/grid.ts";
import { decodeRecipe, encodeRecipe, type Recipe, serverOptimiserOf } from "../protocol/recipe.ts";
import { initialServerState } from "../protocol/serverState.ts";

/** The recipe as a consortium writes it: the held-out set's names are filled in when it is published. */
export type RecipeDraft = Omit<Recipe, "scoring"> & {
  readonly scoring: Omit<Recipe["scoring"], "heldOutCid" | "heldOutDigest">;
};

/** What `openRun` takes from the preparation. */
export interface PreparedRun {
  readonly recipeDigest: Hex;
  readonly recipeCid: Hex;
  readonly ruleId: Hex;
  readonly initialModelRoot: Hex;
  readonly initialCheckpointCid: Hex;
}

/** Puts the held-out set, the recipe and the initial checkpoint into the store and serves them. */
export async function prepareRun(
  store: ContentStore,
  draft: RecipeDraft,
  initialParameters: Float32Array,
  heldOut: Dataset,
): Promise<PreparedRun> {
  const publish = async (bytes: Uint8Array): Promise<Hex> => {
    const id = await store.put(bytes);
    await store.serve(id);
    return digestOfContentId(id);
  };
  const heldOutBytes = encodeDataset(heldOut);
  const recipe: Recipe = {
    ...draft,
    scoring: {
      ...draft.scoring,
      heldOutCid: await publish(heldOutBytes),
      heldOutDigest: toHex(chunkRoot(heldOutBytes)),
    },
  };
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
  };
}
