// SPDX-License-Identifier: Apache-2.0
import { copyFile, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import * as snarkjs from "snarkjs";
import { ConfigError, FoedusError } from "../src/protocol/errors.ts";
import { ARTIFACT_FILES } from "../src/proving/circuitArtifacts.ts";
import { CeremonyError } from "./lib/ceremony/errors.ts";
import {
  applyBeacon,
  type CeremonyContext,
  contribute,
  requireFinished,
  startKey,
  verifyKey,
  verifyPowersOfTau,
} from "./lib/ceremony/steps.ts";
import { completeFolder } from "./lib/circuits/buildCircuit.ts";
import { compileCircuit } from "./lib/circuits/compileCircuit.ts";
import { circuitFingerprint } from "./lib/circuits/fingerprint.ts";
import { type CircuitInstance, findCircuitInstance, mainComponent } from "./lib/circuits/instances.ts";
import { decodeR1cs, type R1cs } from "./lib/circuits/r1cs.ts";
import { verifierContract } from "./lib/circuits/verifierContract.ts";

const HELP = `Usage: node scripts/ceremony.ts <step> --circuit NAME --ptau FILE --directory DIR [options]

Makes real keys of a circuit by a multi-party ceremony (phase 2 of Groth16). The key is sound if at least one participant
kept its randomness to itself, which this command never shows or stores.

Steps, in order:
  start        check the powers of tau, make DIR/0000.zkey                          coordinator
  contribute   check the last key of DIR, add randomness, write the next            each participant in turn
  beacon       close with public randomness announced before the first step         coordinator
  verify       check the last key of DIR and show its history                       anybody, at any time
  finish       check everything again; write keys and verifier contract             coordinator, then everybody to compare

Between steps the last .zkey of DIR travels to the next participant. Nothing else has to: every step compiles the circuit
from its own checkout and checks the key against it, so all must have the same version of this repository.

Options:
  --circuit NAME       circuit of circuits/circuits.json
  --ptau FILE          prepared powers of tau, 2^13 for 8 participants of a round, 2^15 for 32; for example those of the
                       Perpetual Powers of Tau, whose digests are published. Checked in start and finish (takes minutes)
  --directory DIR      where this ceremony's keys lie
  --name NAME          contribute: the participant, as it is to stand in the history
  --beacon HEX         beacon: 16 to 255 bytes
  --iterations N       beacon: 2^N hash iterations (default 10)
  --minimum N          finish: participants required (default 2)
  --keys DIR           finish: receives NAME/ with proving key, verification key and circuit (default keys)
  --contract NAME      finish: contract written to contracts/verifiers (default NAME of the circuit + "Ceremony")
  --help               this text
`;

const root = dirname(dirname(fileURLToPath(import.meta.url)));

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    circuit: { type: "string" },
    ptau: { type: "string" },
    directory: { type: "string" },
    name: { type: "string" },
    beacon: { type: "string" },
    iterations: { type: "string", default: "10" },
    minimum: { type: "string", default: "2" },
    keys: { type: "string", default: "keys" },
    contract: { type: "string" },
    help: { type: "boolean" },
  },
});

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

function required(option: "circuit" | "ptau" | "directory" | "name" | "beacon"): string {
  const value = values[option];
  if (value === undefined) throw new ConfigError(`This step needs --${option}. See --help.`, { option });
  return value;
}

/** The keys of the directory, oldest first. */
async function keysOf(directory: string): Promise<string[]> {
  const files = await readdir(directory).catch(() => [] as string[]);
  return files
    .filter((file) => /^\d{4}\.zkey$/.test(file))
    .toSorted()
    .map((file) => join(directory, file));
}

async function lastKey(directory: string): Promise<string> {
  const last = (await keysOf(directory)).at(-1);
  if (last === undefined)
    throw new CeremonyError(
      `${directory} has no key. Run the step "start", or copy the key you were sent to ${join(directory, "0000.zkey")}.`,
      { directory },
    );
  return last;
}

function keyAfter(key: string): string {
  return join(dirname(key), `${String(Number.parseInt(basename(key), 10) + 1).padStart(4, "0")}.zkey`);
}

async function bytesOf(file: string): Promise<Uint8Array> {
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw new ConfigError(`${file} cannot be read.`, { file }, cause);
  });
  return new Uint8Array(bytes);
}

/** Complete or not at all, so that no half-written key is found and sent on. */
async function writeKey(file: string, zkey: Uint8Array): Promise<void> {
  await writeFile(`${file}.part`, zkey);
  await rename(`${file}.part`, file);
}

/** Writes the finished key where provers look for it, and its verifier where Hardhat does. */
async function publish(instance: CircuitInstance, compiled: string, zkey: Uint8Array, r1cs: R1cs): Promise<void> {
  const folder = join(values.keys, instance.name);
  await mkdir(folder, { recursive: true });
  for (const file of [ARTIFACT_FILES.r1cs, ARTIFACT_FILES.wasm, ARTIFACT_FILES.sym])
    await copyFile(join(compiled, file), join(folder, file));
  await writeKey(join(folder, ARTIFACT_FILES.zkey), zkey);
  const { constraints, wires } = r1cs;
  await completeFolder(folder, instance, {
    development: false,
    fingerprint: circuitFingerprint(root, instance),
    constraints,
    wires,
  });
  const contract = values.contract ?? `${instance.name}Ceremony`;
  if (!/^[A-Z][A-Za-z0-9]*$/.test(contract) || contract === instance.name) {
    throw new ConfigError(
      `--contract ${contract}: choose another name of letters and digits; ${instance.name} is the development verifier.`,
      { contract },
    );
  }
  const source = await verifierContract(zkey, {
    contract,
    circuit: instance.name,
    capacity: instance.params[0] as number,
    publicSignals: instance.publicSignals,
    development: false,
  });
  const file = join(root, "contracts/verifiers", `${contract}.sol`);
  await writeFile(file, source);
  say(`Wrote ${folder} and ${file}. Every participant should run this step too and find the same files.`);
}

async function run(step: string): Promise<void> {
  const instance = findCircuitInstance(root, required("circuit"));
  const directory = required("directory");
  const work = join(root, "build", `ceremony-${process.pid}`);
  try {
    say(`Compiling ${instance.name} from this checkout`);
    const compiled = await compileCircuit(root, instance.name, mainComponent(instance), work);
    const context: CeremonyContext = {
      snarkjs,
      r1cs: await bytesOf(compiled.r1cs),
      ptau: await bytesOf(required("ptau")),
      say,
    };
    await mkdir(directory, { recursive: true });
    switch (step) {
      case "start": {
        if ((await keysOf(directory)).length > 0)
          throw new CeremonyError(`${directory} has keys already. A new ceremony takes an empty directory.`, {
            directory,
          });
        say("Checking the powers of tau; this takes minutes");
        await verifyPowersOfTau(context);
        const first = join(directory, "0000.zkey");
        await writeKey(first, await startKey(context));
        say(
          `Wrote ${first}. Announce now which future beacon will close the ceremony, then send the key to the first participant.`,
        );
        return;
      }
      case "contribute": {
        const last = await lastKey(directory);
        const next = keyAfter(last);
        const { zkey, hash } = await contribute(context, await bytesOf(last), required("name"));
        await writeKey(next, zkey);
        say(`Wrote ${next}. Publish the hash of your contribution, and send the key on:\n${hash}`);
        return;
      }
      case "beacon": {
        const last = await lastKey(directory);
        const next = keyAfter(last);
        const beacon = { value: required("beacon"), iterationsExponent: Number(values.iterations) };
        const { zkey, hash } = await applyBeacon(context, await bytesOf(last), beacon);
        await writeKey(next, zkey);
        say(`Wrote ${next}, closed by the beacon:\n${hash}`);
        return;
      }
      case "verify": {
        const last = await lastKey(directory);
        const history = await verifyKey(context, await bytesOf(last));
        say(`${last} belongs to this circuit and these powers of tau. History:`);
        for (const [i, { kind, name }] of history.entries()) say(`  ${i + 1}. ${kind} ${name}`);
        return;
      }
      case "finish": {
        say("Checking the powers of tau; this takes minutes");
        await verifyPowersOfTau(context);
        const zkey = await bytesOf(await lastKey(directory));
        await requireFinished(context, zkey, Number(values.minimum));
        await publish(instance, work, zkey, decodeR1cs(context.r1cs));
        return;
      }
      default:
        throw new ConfigError(`There is no step "${step}". Steps: start, contribute, beacon, verify, finish.`, {
          step,
        });
    }
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

if (values.help || positionals.length === 0) {
  process.stdout.write(HELP);
  process.exit(values.help ? 0 : 2);
}
try {
  await run(positionals[0] as string);
  // snarkjs's threads would keep the process alive.
  process.exit(0);
} catch (error) {
  if (!(error instanceof FoedusError)) throw error;
  say(`${error.code}: ${error.message}`);
  process.exit(error.exitCode);
}
