// SPDX-License-Identifier: Apache-2.0
/** What is generated from the sources and not kept in git: circuits with their development keys, compiled contracts, compiled kernels. */
import { readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { runCaptured } from "./child.mjs";
import { SetupError } from "./failure.mjs";
import { fingerprint, isStamped, removeStamp, writeStamp } from "./fingerprint.mjs";
import { ROOT, STATE } from "./paths.mjs";
import { findNode24 } from "./runtime.mjs";

/**
 * Circuits come first, since their verifiers are contracts.
 *
 * `inputs` and `outputs` are files and folders; `tools` are packages whose version decides the result.
 */
const STEPS = [
  {
    name: "circuits",
    title: "Circuits and development keys",
    command: ["scripts/circuits.ts"],
    inputs: ["circuits", "scripts/circuits.ts", "scripts/lib", "src/proving/circuitArtifacts.ts"],
    outputs: ["build/circuits", "contracts/verifiers"],
    tools: ["circom2", "circomlib", "snarkjs", "ffjavascript", "wasmcurves"],
  },
  {
    name: "contracts",
    title: "Contracts",
    command: ["node_modules/hardhat/dist/src/cli.js", "build"],
    inputs: ["contracts", "hardhat.config.ts"],
    outputs: ["artifacts"],
    tools: ["hardhat", "solc", "@openzeppelin/contracts"],
  },
  {
    name: "kernels",
    title: "Aggregation kernels",
    command: ["scripts/kernels.ts"],
    inputs: ["assembly", "scripts/kernels.ts", "scripts/lib/assemblyFlags.ts"],
    outputs: ["build/kernels"],
    tools: ["assemblyscript", "binaryen"],
  },
];

/** @returns {string} the fingerprint of all that a step's result depends on */
function inputsOf(step) {
  const { packages } = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8"));
  return fingerprint(
    step.inputs,
    step.tools.map((tool) => `${tool}@${packages[`node_modules/${tool}`]?.version}`),
  );
}

/** @returns {boolean} whether everything generated is there and up to date */
export function generatedReady() {
  return STEPS.every((step) => isStamped(step.name, inputsOf(step)));
}

/**
 * Make what is missing or out of date. The packages must be installed.
 *
 * @param {import("./progress.mjs").Progress} progress
 * @throws {SetupError}
 */
export async function ensureGenerated(progress) {
  for (const step of STEPS) {
    const inputs = inputsOf(step);
    if (isStamped(step.name, inputs)) continue;
    removeStamp(step.name);
    progress.start(step.title);
    const result = await runCaptured(findNode24() ?? process.execPath, step.command, {
      env: {
        ...process.env,
        PATH: [join(ROOT, "node_modules", ".bin"), process.env.PATH ?? ""].join(delimiter),
        HARDHAT_DISABLE_TELEMETRY_PROMPT: "true",
      },
      log: join(STATE, "setup", `${step.name}.log`),
      onLine: (line) => progress.note(line),
    });
    if (result.code !== 0) {
      throw new SetupError(`${step.title}: \`node ${step.command.join(" ")}\` ended with exit code ${result.code}.`, {
        nextStep: "mend what the lines above name, then run it again.",
        log: result.log,
        output: result.output,
      });
    }
    progress.done();
    // The inputs as they were at the start: what an editor saved meanwhile is not in the result.
    writeStamp(step.name, inputs, step.outputs);
  }
}
