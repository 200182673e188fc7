// SPDX-License-Identifier: Apache-2.0

/** Every data set by the name that an experiment gives it. Another one is a file in sets/ or generators/ and a row here. */

import { ecg } from "./generators/ecg.ts";
import { glyphs } from "./generators/glyphs.ts";
import { iot } from "./generators/iot.ts";
import { linear } from "./generators/linear.ts";
import { mixture } from "./generators/mixture.ts";
import { text } from "./generators/text.ts";
import { agNews } from "./sets/agNews.ts";
import { cifar10 } from "./sets/cifar10.ts";
import { cifar100 } from "./sets/cifar100.ts";
import { femnist } from "./sets/femnist.ts";
import { heartDisease } from "./sets/heartDisease.ts";
import { mitbih } from "./sets/mitbih.ts";
import { fashionMnist, mnist } from "./sets/mnist.ts";
import { nslKdd } from "./sets/nslKdd.ts";
import { shakespeare } from "./sets/shakespeare.ts";
import { breastCancer, digits, iris, wine } from "./sets/smallTables.ts";
import { svhn } from "./sets/svhn.ts";
import { wisdm51 } from "./sets/wisdm51.ts";

/** Read from files. */
export const DATA_SETS = {
  mnist,
  "fashion-mnist": fashionMnist,
  cifar10,
  cifar100,
  svhn,
  femnist,
  digits,
  "breast-cancer": breastCancer,
  wine,
  iris,
  "ag-news": agNews,
  "nsl-kdd": nslKdd,
  mitbih,
  wisdm51,
  "heart-disease": heartDisease,
  shakespeare,
} as const;

/** Made from a seed. */
export const GENERATORS = {
  "s-mix": mixture,
  "s-glyph": glyphs,
  "s-ecg": ecg,
  "s-text": text,
  "s-iot": iot,
  "s-lin": linear,
} as const;
