// SPDX-License-Identifier: Apache-2.0
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { after } from "node:test";
import { fileURLToPath } from "node:url";
import {
  type CompiledCircuit,
  compileCircuit,
  type Simplification,
} from "../../../scripts/lib/circuits/compileCircuit.ts";

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), "../../..");

const folders: string[] = [];

// Registered when the file is loaded: inside a hook or a test it would run at that hook's or test's end.
after(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))));

/** A folder below build/ (circom sees nothing outside the repository) that is removed after the test file. */
export async function temporaryFolder(): Promise<string> {
  await mkdir(join(ROOT, "build"), { recursive: true });
  const folder = await mkdtemp(join(ROOT, "build/test-"));
  folders.push(folder);
  return folder;
}

/** Compiles a main component for one test file. */
export async function compileTemporary(
  source: string,
  simplification: Simplification = "O2",
): Promise<CompiledCircuit> {
  return compileCircuit(ROOT, "test circuit", source, await temporaryFolder(), simplification);
}
