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
import { DEVICES } from "../protocol/wideKernels.ts";

export const validatorConfigSchema = z.strictObject({
  ...participantOptions,
  /** This validator's own held-out data, exactly in runs with attested scoring. It leaves this process as scores only. */
  heldOut: ownDataSchema.optional(),
  prover: z
    .strictObject({
      /** Proofs made at once, one core each. */
      threads: z.int().min(1).max(64).default(1),
      /** Folder with one folder of circuit and keys for each instance. Left out: the development keys in build/circuits. */
      artifacts: z.string().min(1).optional(),
    })
    .prefault({}),
  aggregation: z
    .strictObject({
      /** What computes; the result does not depend on it. */
      device: z.enum(DEVICES).default("auto"),
      /** Threads on the processor. Left out: as many as it has. */
      threads: z.int().min(1).max(256).optional(),
    })
    .prefault({}),
});

const hints: Hints = {
  ...participantHints,
  heldOut:
    "write e.g. heldOut: { kind: csv, file: held-out.csv, inputs: 64, classes: 10 }, or leave it out where the run's scoring is exact",
  ...ownDataHints("heldOut"),
  prover: "write e.g. prover: { threads: 1, artifacts: circuits }, or leave it out",
  "prover.threads": "write how many cores proving may use, from 1 to 64",
  aggregation: "write e.g. aggregation: { device: auto, threads: 4 }, or leave it out",
  "aggregation.device": "write auto, cpu or gpu; all give the same bits",
  "aggregation.threads": "write how many cores aggregation may use, from 1 to 256",
  "prover.artifacts": "write the folder of the circuits and keys of the consortium's ceremony",
};

/** A validator's configuration; its file is YAML (docs/running-a-consortium.md). Paths are absolute. */
export type ValidatorConfig = z.output<typeof validatorConfigSchema>;

/** @param file path of the file, for messages and as the origin of relative paths. @throws ConfigError */
export function parseValidatorConfig(value: unknown, file: string): ValidatorConfig {
  const config = resolveParticipantPaths(parseConfig(validatorConfigSchema, hints, value, file), file);
  const { prover, heldOut } = config;
  const absolute = (path: string): string => resolve(dirname(file), path);
  return {
    ...config,
    ...(heldOut === undefined ? {} : { heldOut: { ...heldOut, file: absolute(heldOut.file) } }),
    ...(prover.artifacts === undefined ? {} : { prover: { ...prover, artifacts: absolute(prover.artifacts) } }),
  };
}

/** The configuration in a YAML file. @throws ConfigError */
export async function readValidatorConfig(path: string): Promise<ValidatorConfig> {
  return parseValidatorConfig(
    await readYaml(path, "write one as docs/running-a-consortium.md shows and name it with --config"),
    path,
  );
}
