// SPDX-License-Identifier: Apache-2.0
import { evaluatePredictors } from "../../round/serverLearning/predictors.ts";
import type { Figures } from "../studies/study.ts";
import { ownPredictors } from "./evaluateFederation.ts";
import type { Federation } from "./federation.ts";

/**
 * How good honest members' own models are on the test set of all, in the end: figures `ownAccuracy`, the mean; `ownEnsembleAccuracy`, of their mean
 * logits; and by architecture, in the cell's order, `ownAccuracy1`, `ownAccuracy2`, … Members that share a model all have its accuracy.
 */
export async function ownFigures(federation: Federation): Promise<Figures> {
  const { config, test } = federation;
  const own = await ownPredictors(federation, config.rounds);
  const { accuracies, ensembleAccuracy } = await evaluatePredictors(own, test);
  const figures: Record<string, number> = { ownAccuracy: mean(accuracies), ownEnsembleAccuracy: ensembleAccuracy };
  const architectures = config.models?.length ?? 0;
  for (let a = 0; a < architectures; a++) {
    const ofIt = accuracies.filter((_, k) => ((own[k]?.id as number) - 1) % architectures === a);
    if (ofIt.length > 0) figures[`ownAccuracy${a + 1}`] = mean(ofIt);
  }
  return figures;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
