// SPDX-License-Identifier: Apache-2.0
import { dirname, resolve } from "node:path";
import { z } from "zod";
import {
  type Hints,
  parseConfig,
  participantHints,
  participantOptions,
  resolveParticipantPaths,
} from "../process/config.ts";
import { ownDataHints, ownDataSchema } from "../process/ownData.ts";
import { readYaml } from "../process/readYaml.ts";
import { ConfigError } from "../protocol/errors.ts";
import { engineHints, engineSchema } from "./engine.ts";

export const nodeConfigSchema = z.strictObject({
  ...participantOptions,
  /** The member's own training data. */
  data: ownDataSchema,
  /** What trains; nobody else's results depend on it. */
  engine: engineSchema.prefault({ kind: "onnxruntime-node" }),
  /** How many times over this machine could train a round before its deadline; recipes with tiers ask for it. */
  resource: z.number().positive().max(1e6).optional(),
  /** Fixes the order of batches, to repeat an experiment. Left out: drawn from the key file, so that nobody else can predict it. */
  seed: z.string().min(1).max(200).optional(),
});

const hints: Hints = {
  ...participantHints,
  data: "write e.g. data: { kind: csv, file: shard.csv, inputs: 64, classes: 10 }",
  ...ownDataHints("data"),
  ...engineHints,
  resource: "write how many times over this machine could train a round before its deadline, e.g. 2.5, or leave it out",
  seed: "write a text, or leave it out",
};

/** A node's configuration; its file is YAML (docs/running-a-consortium.md). Paths are absolute. */
export type NodeConfig = z.output<typeof nodeConfigSchema>;

/** @param file path of the file, for messages and as the origin of relative paths. @throws ConfigError */
export function parseNodeConfig(value: unknown, file: string): NodeConfig {
  const config = resolveParticipantPaths(parseConfig(nodeConfigSchema, hints, value, file), file);
  const { data, engine } = config;
  const absolute = (path: string): string => resolve(dirname(file), path);
  return {
    ...config,
    data: { ...data, file: absolute(data.file) },
    engine: engine.kind === "process" ? { ...engine, folder: absolute(engine.folder) } : engine,
  };
}

/** The configuration with another device for its engine: `--device`. @throws ConfigError for one that the engine does not have. */
export function withDevice(config: NodeConfig, device: string): NodeConfig {
  const parsed = engineSchema.safeParse({ ...config.engine, device });
  if (parsed.success) return { ...config, engine: parsed.data };
  throw new ConfigError(
    `--device ${device} is not for the engine ${config.engine.kind}; ${engineHints["engine.device"]}.`,
    {
      device,
    },
  );
}

/** The configuration in a YAML file. @throws ConfigError */
export async function readNodeConfig(path: string): Promise<NodeConfig> {
  return parseNodeConfig(
    await readYaml(path, "write one as docs/running-a-consortium.md shows and name it with --config"),
    path,
  );
}
