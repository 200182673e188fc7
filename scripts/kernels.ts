// SPDX-License-Identifier: Apache-2.0
import { mkdir, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { main } from "assemblyscript/asc";
import { KERNELS_WASM } from "../src/kernels/cpu/wasmModule.ts";
import { ASSEMBLY_FLAGS } from "./lib/assemblyFlags.ts";

const HELP = `Usage: node scripts/kernels.ts

Compiles the fast kernels of assembly/ to build/kernels/kernels.wasm. \`npm run setup\` does this when they changed.

  --help    this text
`;

async function build(): Promise<void> {
  const produced = new Map<string, Uint8Array>();
  const { error, stderr } = await main(
    [
      "assembly/kernels.ts",
      "--baseDir",
      fileURLToPath(new URL("..", import.meta.url)),
      "-o",
      "kernels.wasm",
      ...ASSEMBLY_FLAGS,
    ],
    { writeFile: (name, contents) => void produced.set(name, contents as Uint8Array) },
  );
  const wasm = produced.get("kernels.wasm");
  if (error || wasm === undefined) {
    process.stderr.write(`${stderr.toString()}${error?.message ?? "The compiler wrote nothing."}\n`);
    process.exitCode = 1;
    return;
  }
  const target = fileURLToPath(KERNELS_WASM);
  await mkdir(dirname(target), { recursive: true });
  // In one step: whoever loads it meanwhile gets the old or the new one.
  await writeFile(`${target}.new`, wasm);
  await rename(`${target}.new`, target);
  process.stderr.write(`kernels: ${wasm.length} bytes\n`);
}

const { values } = parseArgs({ options: { help: { type: "boolean" } } });
if (values.help) process.stdout.write(HELP);
else await build();
