// SPDX-License-Identifier: Apache-2.0
import { weighsBySamples } from "../aggregation/needsOf.ts";
import { dropoutLayers } from "../learning/layout.ts";
import { requirePrivateRecipe } from "../privacy/requirePrivateRecipe.ts";
import { ConfigError } from "../protocol/errors.ts";
import { privacyOf, type Recipe } from "../protocol/recipe.ts";

type PrivateParts = Pick<Recipe, "privacy" | "update" | "aggregation" | "client" | "model">;

/**
 * Refuses recipes whose privacy would not be what it says in a run on a chain, where every validator sees single updates, everybody can repeat
 * the aggregation, and who took part is published: there members add their own noise (modes local and record), or there is none. The sponsor asks
 * before anything is published, and every member again before it trains.
 *
 * @param run d, coordinates of an update, and K, updates of a round at most.
 * @returns remarks, each a sentence; none for a recipe without privacy.
 * @throws ConfigError with the reason and what to write instead.
 */
export function requirePrivateRun(recipe: PrivateParts, run: { size: number; cohort: number }): readonly string[] {
  const privacy = privacyOf(recipe);
  if (privacy === undefined) return [];
  if (privacy.mode === "record") requireRecordTraining(recipe);
  return requirePrivateRecipe({
    privacy,
    codec: recipe.update.codec,
    ...run,
    sampling: { kind: "everybody", rate: 1, published: true },
    rule: { name: recipe.aggregation.rule, sizeWeighted: weighsBySamples(recipe.aggregation) },
    singleUpdatesSeen: true,
    replayable: true,
  });
}

/** DP-SGD is a client algorithm of its own. */
function requireRecordTraining({ client, model }: PrivateParts): void {
  if (client !== undefined && client.name !== "fedavg") {
    throw new ConfigError(
      `Privacy of records is FedAvg with DP-SGD, which ${client.name} would train around; leave client out, or take privacy.mode local.`,
      { client: client.name },
    );
  }
  if (dropoutLayers(model).length > 0) {
    throw new ConfigError(
      "Privacy of records knows no dropout: masks per sample would be another mechanism. Use the model without it, or privacy.mode local.",
    );
  }
}
