// SPDX-License-Identifier: Apache-2.0
import { accuracy } from "../../learning/evaluate.ts";
import { logitsOf } from "../../round/serverLearning/predictors.ts";
import type { Figures } from "../studies/study.ts";
import { globalModelOf } from "./evaluateFederation.ts";
import type { Federation } from "./federation.ts";
import { rankingFigures } from "./rankingFigures.ts";

/** How well the model's scores rank the test samples; nothing where members share no model. */
export async function rankingOf(federation: Federation): Promise<Figures> {
  const { model, test } = federation;
  const parameters = globalModelOf(federation);
  return parameters === undefined ? {} : rankingFigures(await logitsOf({ model, parameters }, test), test);
}

/** What the model is worth on the test set as it is now. */
export async function qualityOf(federation: Federation): Promise<Figures> {
  const { model, test, config } = federation;
  const parameters = globalModelOf(federation);
  return {
    ...(parameters === undefined ? {} : { accuracy: await accuracy(model, parameters, test) }),
    ...(config.evaluate.ranking === true ? await rankingOf(federation) : {}),
  };
}
