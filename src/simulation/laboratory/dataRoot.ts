// SPDX-License-Identifier: Apache-2.0
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { DataConfig } from "../../data/dataConfig.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/** Where real data sets are looked for unless a command says otherwise: FOEDUS_DATA, `data` here, a folder of data sets beside the checkout. */
export function defaultDataRoot(environment: Readonly<Record<string, string | undefined>> = process.env): string {
  const named = environment.FOEDUS_DATA;
  if (named !== undefined && named !== "") return resolve(named);
  const places = [resolve("data"), join(ROOT, "data"), join(ROOT, "..", "shared", "data")];
  return places.find((place) => existsSync(place)) ?? (places[0] as string);
}

/** The digits come with Foedus: where the folder has none, the demo's file is read, which has the same bytes. */
export function withOwnFiles(config: DataConfig, root: string): DataConfig {
  if (config.name !== "digits" || config.path !== undefined) return config;
  if (existsSync(join(root, "sklearn_small", "digits.csv.gz"))) return config;
  return { ...config, path: join(ROOT, "examples", "digits") };
}
