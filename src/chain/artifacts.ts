// SPDX-License-Identifier: Apache-2.0
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import type { Hex } from "../protocol/bytes.ts";
import { ConfigError } from "../protocol/errors.ts";

/** What Hardhat's compiler leaves of a contract. */
export interface Artifact {
  readonly contractName: string;
  readonly abi: readonly Readonly<Record<string, unknown>>[];
  /** Creation bytecode; `0x` for interfaces. */
  readonly bytecode: Hex;
}

const schema = z.looseObject({
  contractName: z.string(),
  abi: z.array(z.record(z.string(), z.unknown())),
  bytecode: z.string().regex(/^0x(?:[0-9a-f]{2})*$/, "linked bytecode"),
});

export const ARTIFACTS = fileURLToPath(new URL("../../artifacts", import.meta.url));

/**
 * Reads the artifact of one of our contracts by its name, wherever below `contracts/` it lies.
 * @throws ConfigError when the contracts are not compiled, or no contract has that name.
 */
export async function readArtifact(contractName: string, folder: string = ARTIFACTS): Promise<Artifact> {
  let files: string[];
  try {
    files = await readdir(join(folder, "contracts"), { recursive: true });
  } catch (cause) {
    throw new ConfigError(
      `The contracts are not compiled: there is no ${join(folder, "contracts")}. Run "npx hardhat build".`,
      { folder },
      cause,
    );
  }
  const wanted = files.filter((file) => file.endsWith(join(`${contractName}.sol`, `${contractName}.json`)));
  const [file] = wanted;
  if (file === undefined || wanted.length > 1) {
    throw new ConfigError(
      `${wanted.length === 0 ? "No" : "More than one"} compiled contract is called ${contractName}. Run "npx hardhat clean" and "npx hardhat build".`,
      { contractName, found: wanted },
    );
  }
  const parsed = schema.safeParse(JSON.parse(await readFile(join(folder, "contracts", file), "utf8")));
  if (!parsed.success)
    throw new ConfigError(`The artifact ${file} is damaged: ${z.prettifyError(parsed.error)}`, { file });
  return parsed.data as Artifact;
}
