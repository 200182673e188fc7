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
import { readYaml } from "../process/readYaml.ts";

const data = z.discriminatedUnion("kind", [
  /** The canonical dataset file that `src/data/encodeDataset.ts` writes. */
  z.strictObject({ kind: z.literal("dataset"), file: z.string().min(1) }),
  z.strictObject({
    kind: z.literal("csv"),
    file: z.string().min(1),
    /** Features per row; the label is one more column, the last. */
    inputs: z.int().min(1),
    classes: z.int().min(2).max(65_536),
    /** Every feature is multiplied by this. */
    scale: z
      .number()
      .refine((value) => value !== 0, "0 would erase every feature")
      .default(1),
    header: z.boolean().default(false),
  }),
]);

export const nodeConfigSchema = z.strictObject({
  ...participantOptions,
  data,
  /** What trains; nobody else's results depend on it. */
  engine: z
    .strictObject({ kind: z.literal("onnxruntime-node"), threads: z.int().min(1).max(256).default(1) })
    .prefault({ kind: "onnxruntime-node" }),
  /** Fixes the order of batches, to repeat an experiment. Left out: drawn from the key file, so that nobody else can predict it. */
  seed: z.string().min(1).max(200).optional(),
});

const hints: Hints = {
  ...participantHints,
  data: "write e.g. data: { kind: csv, file: shard.csv, inputs: 64, classes: 10 }",
  "data.kind": "write csv, or dataset for the canonical file",
  "data.file": "write the path of your training data",
  "data.inputs": "write how many feature columns a row has, the label not counted",
  "data.classes": "write how many classes the labels 0, 1, … count",
  "data.scale": "write the number that every feature is multiplied by, e.g. scale: 0.0625",
  "data.header": "write true if the first row names the columns",
  engine: "write engine: { kind: onnxruntime-node, threads: 1 }, or leave it out",
  "engine.kind": "write onnxruntime-node",
  "engine.threads": "write a number from 1 to 256",
  seed: "write a text, or leave it out",
};

/** A node's configuration; its file is YAML (docs/running-a-consortium.md). Paths are absolute. */
export type NodeConfig = z.output<typeof nodeConfigSchema>;

/** @param file path of the file, for messages and as the origin of relative paths. @throws ConfigError */
export function parseNodeConfig(value: unknown, file: string): NodeConfig {
  const config = resolveParticipantPaths(parseConfig(nodeConfigSchema, hints, value, file), file);
  return { ...config, data: { ...config.data, file: resolve(dirname(file), config.data.file) } };
}

/** The configuration in a YAML file. @throws ConfigError */
export async function readNodeConfig(path: string): Promise<NodeConfig> {
  return parseNodeConfig(
    await readYaml(path, "write one as docs/running-a-consortium.md shows and name it with --config"),
    path,
  );
}
