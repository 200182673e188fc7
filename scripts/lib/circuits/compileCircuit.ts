// SPDX-License-Identifier: Apache-2.0
import { execFile } from "node:child_process";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join, relative } from "node:path";
import { promisify } from "node:util";
import { FoedusError } from "../../../src/protocol/errors.ts";

/** What the compiler makes of a circuit; absolute paths. */
export interface CompiledCircuit {
  /** The constraint system. */
  readonly r1cs: string;
  /** The witness calculator. */
  readonly wasm: string;
  /** Which wire each named signal became; −1 where simplification removed it. Tests of hand-made witnesses read it. */
  readonly sym: string;
}

/** O2 substitutes linear constraints away; O1 keeps them, and with them the structure that tests of soundness read. */
export type Simplification = "O1" | "O2";

/** The circuit does not compile. The message holds the compiler's own. */
export class CircuitCompileError extends FoedusError {
  constructor(name: string, output: string, cause: unknown) {
    super("CIRCUIT_COMPILE", `circom could not compile ${name}:\n${output}`, { values: { name }, cause });
    this.name = "CircuitCompileError";
  }
}

/**
 * Compiles a main component with circom (the WebAssembly build on npm).
 *
 * `--O2` removes all linear constraints. Without it they count into the domain of the proof, which then is twice as large.
 * `--inspect` reports signals that occur in no constraint; any such warning fails the compilation, since that is how under-constrained
 * circuits begin.
 *
 * @param root the repository's root. circom sees nothing outside its working directory (WASI), so it runs there and `directory` must lie
 *   below it; includes are relative to it.
 * @param source text of the main component.
 * @param directory receives circuit.r1cs, circuit.wasm and circuit.sym.
 * @throws CircuitCompileError
 */
export async function compileCircuit(
  root: string,
  name: string,
  source: string,
  directory: string,
  simplification: Simplification = "O2",
): Promise<CompiledCircuit> {
  await mkdir(directory, { recursive: true });
  const main = join(directory, "main.circom");
  await writeFile(main, source);

  const compiler = createRequire(import.meta.url).resolve("circom2/cli.js");
  const output = relative(root, directory);
  const flags = ["-l", ".", `--${simplification}`, "--r1cs", "--wasm", "--sym", "--inspect", "-o", output];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [compiler, relative(root, main), ...flags], {
    cwd: root,
  }).catch((cause: { stdout?: string; stderr?: string }) => {
    throw new CircuitCompileError(name, `${cause.stdout ?? ""}${cause.stderr ?? ""}`, cause);
  });
  if (/warning/i.test(stdout + stderr)) throw new CircuitCompileError(name, stdout + stderr, undefined);

  const compiled = {
    r1cs: join(directory, "circuit.r1cs"),
    wasm: join(directory, "circuit.wasm"),
    sym: join(directory, "circuit.sym"),
  };
  await rename(join(directory, "main.r1cs"), compiled.r1cs);
  await rename(join(directory, "main_js", "main.wasm"), compiled.wasm);
  await rename(join(directory, "main.sym"), compiled.sym);
  await rm(join(directory, "main_js"), { recursive: true });
  return compiled;
}
