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
  /** What private runs keep, and how far this member goes; runs without privacy read none of it. */
  privacy: z
    .strictObject({
      /** The member's one privacy ledger, over all its runs. Left out: privacy/ledger.jsonl in `state`. */
      ledger: z.string().min(1).optional(),
      /** 32 random bytes that the noise is drawn from, made on first use. Left out: privacy/noise.key in `state`. */
      secret: z.string().min(1).optional(),
      /** ε that this member spends at most, where it allows less than a run's budget; at the δ of that budget. */
      maxEpsilon: z.number().positive().max(1_000).optional(),
      /** Runs that were not private, where nobody serves the recipe that says so. */
      publicRuns: z.array(participantOptions.run).max(1_000).optional(),
    })
    .prefault({}),
  /** How many times over this machine could train a round before its deadline, or to measure it at the start; recipes with tiers ask for it. */
  resource: z.union([z.number().positive().max(1e6), z.literal("measured")]).optional(),
  /** Fixes the order of batches, to repeat an experiment. Left out: drawn from the key file, so that nobody else can predict it. */
  seed: z.string().min(1).max(200).optional(),
});

const hints: Hints = {
  ...participantHints,
  data: "write e.g. data: { kind: csv, file: shard.csv, inputs: 64, classes: 10 }",
  ...ownDataHints("data"),
  ...engineHints,
  privacy: "write e.g. privacy: { ledger: privacy/ledger.jsonl, secret: privacy/noise.key }, or leave it out",
  "privacy.ledger": "write the path of the member's privacy ledger, the same for all its runs",
  "privacy.secret": "write the path of the file with the noise secret; the node makes it",
  "privacy.maxEpsilon": "write the ε that this member spends at most, up to 1000",
  "privacy.publicRuns": "write the numbers of runs that were not private, e.g. publicRuns: [1, 2]",
  resource:
    "write how many times over this machine could train a round before its deadline, e.g. 2.5, or measured, or leave it out",
  seed: "write a text, or leave it out",
};

/** A node's configuration; its file is YAML (docs/running-a-consortium.md). Paths are absolute. */
export type NodeConfig = z.output<typeof nodeConfigSchema>;

/** @param file path of the file, for messages and as the origin of relative paths. @throws ConfigError */
export function parseNodeConfig(value: unknown, file: string): NodeConfig {
  const config = resolveParticipantPaths(parseConfig(nodeConfigSchema, hints, value, file), file);
  const { data, engine, privacy } = config;
  const absolute = (path: string): string => resolve(dirname(file), path);
  return {
    ...config,
    data: { ...data, file: absolute(data.file) },
    privacy: {
      ...privacy,
      ...(privacy.ledger === undefined ? {} : { ledger: absolute(privacy.ledger) }),
      ...(privacy.secret === undefined ? {} : { secret: absolute(privacy.secret) }),
    },
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
