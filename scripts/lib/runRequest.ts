// SPDX-License-Identifier: Apache-2.0
import { readFile } from "node:fs/promises";
import { ZeroAddress } from "ethers";
import { z } from "zod";
import type { Deployment } from "../../src/chain/deployment.ts";
import { SCORING } from "../../src/protocol/attestedScores.ts";
import type { Hex } from "../../src/protocol/bytes.ts";
import { ConfigError } from "../../src/protocol/errors.ts";
import type { RunParams } from "../../src/protocol/ledger.ts";

const word = z
  .string()
  .regex(/^0x[0-9a-f]{64}$/, "0x and 64 lower-case hexadecimal digits") as unknown as z.ZodType<Hex>;
const address = z.string().regex(/^0x[0-9a-fA-F]{40}$/, "an address");
const u32 = z.int().min(0).max(4_294_967_295);
const amount = z
  .string()
  .regex(/^(?:0|[1-9][0-9]{0,38})$/, "a whole number of the token's smallest unit, in quotes")
  .transform(BigInt);

/**
 * A run as it is to be opened: the fields of `RunParams` by name, amounts as decimal strings. Left out: `verifier` (the deployment's smallest
 * that has room), `token` (the deployment's), `scoring` (exact).
 */
const schema = z.strictObject({
  recipeDigest: word,
  recipeCid: word,
  ruleId: word,
  initialModelRoot: word,
  initialCheckpointCid: word,
  rounds: u32,
  maxOpenings: u32,
  cohort: u32,
  capacity: u32,
  minAccepted: u32,
  commitBlocks: u32,
  judgeBlocks: u32,
  fetchBlocks: u32,
  attestBlocks: u32,
  viewBlocks: u32,
  challengeBlocks: u32,
  alphaQ16: u32,
  omegaQ16: u32,
  verifier: address.optional(),
  token: address.optional(),
  pool: amount,
  disputeBond: amount,
  scoring: z.union([z.literal(SCORING.exact), z.literal(SCORING.attested)]).optional(),
});

export type RunRequest = z.output<typeof schema>;

/** @throws ConfigError when the file cannot be read or a field is missing or wrong. */
export async function readRunRequest(path: string): Promise<RunRequest> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, "utf8"));
  } catch (cause) {
    throw new ConfigError(
      `The run file ${path} cannot be read as JSON. \`foedus run prepare\` writes it.`,
      { path },
      cause,
    );
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new ConfigError(`${path} is not a run file: ${z.prettifyError(parsed.error)}`, { path });
  return parsed.data;
}

/** Parameters as `openRun` takes them, with what the deployment provides. Ranges are the contract's to decide. */
export function runParams(request: RunRequest, deployment: Deployment): RunParams {
  const needsToken = request.pool > 0n || request.disputeBond > 0n;
  const token = request.token ?? deployment.token ?? ZeroAddress;
  if (needsToken && token === ZeroAddress)
    throw new ConfigError("The run has a pool or a bond but names no token, and the deployment has none.");
  return {
    ...request,
    verifier: request.verifier ?? verifierFor(request.capacity, deployment),
    token,
    scoring: request.scoring ?? SCORING.exact,
  };
}

function verifierFor(capacity: number, deployment: Deployment): string {
  const rooms = Object.keys(deployment.verifiers).map(Number);
  const [room] = rooms.filter((candidate) => candidate >= capacity).sort((a, b) => a - b);
  if (room === undefined) {
    throw new ConfigError(
      `No deployed verifier has room for ${capacity} updates (deployed: ${rooms.join(", ")}). Lower the run's capacity.`,
      { capacity, rooms },
    );
  }
  return deployment.verifiers[String(room)] as string;
}
