// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { before, describe, it } from "node:test";
import { CeremonyError } from "../../../scripts/lib/ceremony/errors.ts";
import {
  applyBeacon,
  type CeremonyContext,
  contribute,
  requireFinished,
  startKey,
  verifyKey,
  verifyPowersOfTau,
} from "../../../scripts/lib/ceremony/steps.ts";
import { decodeBinaryFile } from "../../../scripts/lib/circuits/binaryFile.ts";
import { decodeR1cs } from "../../../scripts/lib/circuits/r1cs.ts";
import { createDevelopmentKey } from "../../../scripts/lib/developmentKey/createDevelopmentKey.ts";
import { loadSnarkjs } from "../../../src/proving/snarkjsDoor.ts";
import { compileTemporary, ROOT } from "../../circuits/support/temporaryCircuit.ts";

/** A whole ceremony on a circuit of some twenty constraints, phase 1 included, so that real powers of tau take a second. */

const BEACON = { value: "00112233445566778899aabbccddeeff", iterationsExponent: 10 };
const quotient = (bits: number): string => `pragma circom 2.1.6;
include "circuits/lib/ceilingQuotient.circom";
component main {public [quotient]} = AssertCeilingQuotient(${bits}, ${bits});
`;

function refusedBecause(reason: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof CeremonyError, String(error));
    assert.match(error.message, reason);
    return true;
  };
}

describe("ceremony", () => {
  let context: CeremonyContext;
  let wasm: string;
  let unprepared: Uint8Array;
  /** The key after each step: without contributions, after the first and second participant, closed. */
  let keys: [Uint8Array, Uint8Array, Uint8Array, Uint8Array];

  before(async () => {
    const snarkjs = await loadSnarkjs();
    const curve = await snarkjs.curves.getCurveFromName("bn128");
    const [empty, contributed, prepared] = [memory(), memory(), memory()];
    await snarkjs.powersOfTau.newAccumulator(curve, 5, empty);
    await snarkjs.powersOfTau.contribute(empty, contributed, "phase 1", "test entropy");
    await snarkjs.powersOfTau.preparePhase2(contributed, prepared);
    unprepared = contributed.data as Uint8Array;
    const compiled = await compileTemporary(quotient(4));
    wasm = compiled.wasm;
    context = { snarkjs, r1cs: await bytesOf(compiled.r1cs), ptau: prepared.data as Uint8Array, say: () => {} };
    const started = await startKey(context);
    const first = await contribute(context, started, "First Hospital");
    const second = await contribute(context, first.zkey, "Second Hospital");
    const closed = await applyBeacon(context, second.zkey, BEACON);
    keys = [started, first.zkey, second.zkey, closed.zkey];
  });

  it("the powers of tau verify", () => verifyPowersOfTau(context));

  it("two participants and a beacon: the key may be used, and says who made it", async () => {
    assert.deepEqual(await requireFinished(context, keys[3], 2), [
      { kind: "participant", name: "First Hospital" },
      { kind: "participant", name: "Second Hospital" },
      { kind: "beacon", name: "beacon" },
    ]);
  });

  it("the finished key proves and verifies", async () => {
    const { snarkjs } = context;
    const witness = memory();
    await snarkjs.wtns.calculate({ dividend: 11, divisor: 4, quotient: 3 }, wasm, witness);
    const { proof, publicSignals } = await snarkjs.groth16.prove(memory(keys[3]), witness);
    const key = await snarkjs.zKey.exportVerificationKey(memory(keys[3]));
    assert.deepEqual(publicSignals, ["3"]);
    assert.ok(await snarkjs.groth16.verify(key, publicSignals, proof));
    assert.ok(!(await snarkjs.groth16.verify(key, ["4"], proof)));
  });

  it("contributions are random: the same participant again gives another key", async () => {
    const again = await contribute(context, keys[0], "First Hospital");
    assert.notDeepEqual(again.zkey, keys[1]);
  });

  describe("refuses", () => {
    const refusals: [string, () => Promise<unknown>, RegExp][] = [
      [
        "a key without contributions, with which anybody can forge",
        () => requireFinished(context, keys[0], 1),
        /^0 participants .* 1 are required/,
      ],
      ["too few participants", () => requireFinished(context, keys[3], 3), /^2 participants .* 3 are required/],
      ["no participants asked for", () => requireFinished(context, keys[3], 0), /at least 1, not 0/],
      ["a key that no beacon closed", () => requireFinished(context, keys[2], 2), /not a beacon/],
      ["a contribution after the beacon", () => contribute(context, keys[3], "Late"), /closed/],
      ["the same participant twice", () => contribute(context, keys[2], "First Hospital"), /contributed already/],
      ["a name that would not survive the file", () => contribute(context, keys[2], "Ärzte\n"), /printable ASCII/],
      [
        "a beacon on a key that nobody contributed to",
        () => applyBeacon(context, keys[0], BEACON),
        /Nobody has contributed/,
      ],
      ["a second beacon", () => applyBeacon(context, keys[3], BEACON), /closed already/],
      [
        "a beacon that is no hexadecimal",
        () => applyBeacon(context, keys[2], { ...BEACON, value: "0x12" }),
        /hexadecimal/,
      ],
      [
        "too few iterations of a beacon",
        () => applyBeacon(context, keys[2], { ...BEACON, iterationsExponent: 9 }),
        /2\^9/,
      ],
      ["a key of which one point is another", () => verifyKey(context, withPointRepeated(keys[3], 8)), /L section/],
      [
        "a history that was shortened",
        () => verifyKey(context, withContributionCount(keys[3], 2)),
        /delta|cannot be read/,
      ],
      ["powers of tau that were not prepared", () => startKey({ ...context, ptau: unprepared }), /not prepared/],
      [
        "damaged powers of tau",
        () => verifyPowersOfTau({ ...context, ptau: withPointRepeated(context.ptau, 4) }),
        /do not verify/,
      ],
      [
        "a file that is no powers of tau",
        () => verifyPowersOfTau({ ...context, ptau: keys[0] }),
        /cannot be read as powers of tau/,
      ],
      ["a file that is no key", () => verifyKey(context, context.ptau), /cannot be read as a proving key/],
    ];
    for (const [what, act, reason] of refusals) it(what, () => assert.rejects(act, refusedBecause(reason)));

    it("a key of another circuit", async () => {
      const { r1cs } = await compileTemporary(quotient(5));
      await assert.rejects(verifyKey({ ...context, r1cs: await bytesOf(r1cs) }, keys[3]), refusedBecause(/circuit/));
    });

    it("a development key", async () => {
      const key = await createDevelopmentKey(decodeR1cs(context.r1cs));
      await assert.rejects(verifyKey(context, key), refusedBecause(/not a key of this circuit and these powers/));
    });

    it("powers of tau that are too small", async () => {
      const { r1cs } = await compileTemporary(quotient(40));
      await assert.rejects(startKey({ ...context, r1cs: await bytesOf(r1cs) }), refusedBecause(/too big/));
    });
  });
});

describe("scripts/ceremony.ts", () => {
  const { NODE_OPTIONS: _, NODE_TEST_CONTEXT: __, ...env } = process.env;
  const run = (...args: string[]) =>
    spawnSync(process.execPath, ["scripts/ceremony.ts", ...args], { cwd: ROOT, env, encoding: "utf8" });

  it("--help explains every step", () => {
    const { stdout, status } = run("--help");
    assert.equal(status, 0);
    for (const step of ["start", "contribute", "beacon", "verify", "finish"])
      assert.match(stdout, new RegExp(`^ {2}${step} `, "m"));
  });

  it("a missing option is named, exit code 2", () => {
    const { stderr, status } = run("contribute", "--circuit", "ReportedLoss8");
    assert.equal(status, 2);
    assert.match(stderr, /--directory/);
  });

  it("an unknown circuit is named with those there are", () => {
    const { stderr, status } = run("start", "--circuit", "ReportedLoss9");
    assert.equal(status, 2);
    assert.match(stderr, /ReportedLoss8, ReportedLoss32/);
  });
});

/** Byte offset of a section of an iden3 file. */
function sectionAt(bytes: Uint8Array, wanted: number): number {
  const section = decodeBinaryFile(new TextDecoder().decode(bytes.subarray(0, 4)), bytes).get(wanted);
  if (section === undefined) throw new Error(`There is no section ${wanted}.`);
  return section.byteOffset - bytes.byteOffset;
}

/** A copy in which the first point (64 bytes) of a section is the second one: still a point, and the wrong one. */
function withPointRepeated(original: Uint8Array, section: number): Uint8Array {
  const bytes = Uint8Array.from(original);
  const at = sectionAt(bytes, section);
  bytes.copyWithin(at, at + 64, at + 128);
  return bytes;
}

/** A copy of a key that claims another number of contributions. */
function withContributionCount(original: Uint8Array, count: number): Uint8Array {
  const bytes = Uint8Array.from(original);
  new DataView(bytes.buffer).setUint32(sectionAt(bytes, 10) + 64, count, true);
  return bytes;
}

function memory(data?: Uint8Array): { type: "mem"; data?: Uint8Array } {
  return data === undefined ? { type: "mem" } : { type: "mem", data };
}

async function bytesOf(file: string): Promise<Uint8Array> {
  return new Uint8Array(await readFile(file));
}
