// SPDX-License-Identifier: Apache-2.0
import type { ModelConfig } from "../../protocol/recipe/modelConfig.ts";
import type { Architecture, ConfigOf } from "./architecture.ts";
import { bagOfEmbeddings } from "./bagOfEmbeddings.ts";
import { convolutional } from "./convolutional.ts";
import { logistic, perceptron } from "./perceptron.ts";
import { recurrent } from "./recurrent.ts";
import { residual } from "./residual.ts";
import { transformer } from "./transformer.ts";

/** What each `model.kind` of a recipe is. */
const ARCHITECTURES: { readonly [K in ModelConfig["kind"]]: Architecture<ConfigOf<K>> } = {
  logistic,
  mlp: perceptron,
  cnn: convolutional,
  resnet: residual,
  lstm: recurrent,
  transformer,
  bagOfEmbeddings,
};

/** The architecture of a configuration; it accepts that configuration and others of its kind. */
export function architectureOf(config: ModelConfig): Architecture<ModelConfig> {
  return ARCHITECTURES[config.kind] as Architecture<ModelConfig>;
}
