// SPDX-License-Identifier: Apache-2.0
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { getAddress } from "ethers";
import { z } from "zod";
import { ConfigError } from "../protocol/errors.ts";

const address = z
  .string()
  .regex(/^0x[0-9a-fA-F]{40}$/, "an address")
  .transform((text, context) => {
    try {
      return getAddress(text);
    } catch {
      context.addIssue({ code: "custom", message: "the address's checksum is wrong" });
      return z.NEVER;
    }
  });

const schema = z.strictObject({
  version: z.literal(1),
  chainId: z
    .string()
    .regex(/^[1-9][0-9]*$/)
    .transform(BigInt),
  addresses: z.strictObject({
    consortium: address,
    trainingLedger: address,
    proofOfTraining: address,
    shapleyRewards: address,
  }),
  /** Verifier of the loss circuit for each capacity. */
  verifiers: z.record(z.string().regex(/^[1-9][0-9]*$/), address),
  /** Token for rewards that was deployed along with the contracts: on development chains only. */
  token: address.optional(),
  /** First and last block of the deployment. */
  blocks: z.strictObject({ first: z.int().min(0), last: z.int().min(0) }),
});

/** Where a federation's contracts are. Written by scripts/deploy.ts, read by every process. */
export type Deployment = z.output<typeof schema>;

/** @throws ConfigError when the file cannot be read or is no deployment. */
export async function readDeployment(path: string): Promise<Deployment> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, "utf8"));
  } catch (cause) {
    throw new ConfigError(`The deployment file ${path} cannot be read. scripts/deploy.ts writes it.`, { path }, cause);
  }
  return parseDeployment(value, path);
}

/** @param source what the message calls the origin of the value */
export function parseDeployment(value: unknown, source: string): Deployment {
  const parsed = schema.safeParse(value);
  if (!parsed.success)
    throw new ConfigError(`${source} is not a deployment: ${z.prettifyError(parsed.error)}`, { source });
  return parsed.data;
}

/** JSON of a deployment: what `readDeployment` reads. */
export function formatDeployment(deployment: Deployment): string {
  return `${JSON.stringify(deployment, (_, value: unknown) => (typeof value === "bigint" ? value.toString() : value), 2)}\n`;
}

/** Writes a deployment file in one step, making its folder. */
export async function writeDeployment(path: string, deployment: Deployment): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.new`, formatDeployment(deployment));
  await rename(`${path}.new`, path);
}
