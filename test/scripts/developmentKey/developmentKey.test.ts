// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { before, describe, it } from "node:test";
import { littleEndian32 } from "../../../scripts/lib/circuits/binaryFile.ts";
import { decodeR1cs, type R1cs } from "../../../scripts/lib/circuits/r1cs.ts";
import { createDevelopmentKey } from "../../../scripts/lib/developmentKey/createDevelopmentKey.ts";
import { AFFINE_BYTES, FixedBase } from "../../../scripts/lib/developmentKey/fixedBase.ts";
import { inverse, lagrangeBasisAt, power, rootOfUnity } from "../../../scripts/lib/developmentKey/scalarField.ts";
import { FIELD_ORDER } from "../../../src/protocol/field.ts";
import { loadSnarkjs } from "../../../src/proving/snarkjsDoor.ts";
import { compileTemporary } from "../../circuits/support/temporaryCircuit.ts";

describe("scalarField", () => {
  it("roots of unity have exactly their order", () => {
    for (const k of [1, 3, 13, 28]) {
      assert.equal(power(rootOfUnity(k), 2n ** BigInt(k)), 1n);
      assert.equal(power(rootOfUnity(k), 2n ** BigInt(k - 1)), FIELD_ORDER - 1n);
    }
    assert.throws(() => rootOfUnity(29), RangeError);
  });

  it("the Lagrange basis interpolates every power below the size of the domain", () => {
    const [k, x] = [4, 123_456_789n];
    const basis = lagrangeBasisAt(k, x);
    for (let degree = 0; degree < 2 ** k; degree++) {
      const sum = basis.reduce(
        (total, value, i) => (total + value * power(rootOfUnity(k), BigInt(i * degree))) % FIELD_ORDER,
        0n,
      );
      assert.equal(sum, power(x, BigInt(degree)), `x^${degree}`);
    }
  });

  it("the factor multiplies the whole basis", () => {
    assert.deepEqual(
      lagrangeBasisAt(3, 99n, 7n),
      lagrangeBasisAt(3, 99n).map((value) => (value * 7n) % FIELD_ORDER),
    );
  });

  it("0 has no inverse, so a point of the domain is refused", () => {
    assert.throws(() => inverse(0n), RangeError);
    assert.throws(() => lagrangeBasisAt(3, rootOfUnity(3)), RangeError);
  });
});

describe("FixedBase", () => {
  for (const group of [1, 2] as const) {
    it(`group ${group}: equal to snarkjs's curve, at the edges and across a batch`, async () => {
      const snarkjs = await loadSnarkjs();
      const curve = await snarkjs.curves.getCurveFromName("bn128");
      const { g, timesScalar, toRprLEM } = (group === 1 ? curve.G1 : curve.G2) as unknown as {
        g: Uint8Array;
        timesScalar: (point: Uint8Array, scalar: bigint) => Uint8Array;
        toRprLEM: (buffer: Uint8Array, offset: number, point: Uint8Array) => void;
      };
      const owner = group === 1 ? curve.G1 : curve.G2;
      const edges = [0n, 1n, 2n, 255n, 256n, 2n ** 128n + 3n, FIELD_ORDER - 1n, 0x1234567890abcdef1234567890abcdefn];
      const scalars = [...edges, ...Array.from({ length: 2048 }, (_, i) => BigInt(i) ** 9n), ...edges.toReversed()];
      const size = AFFINE_BYTES[group];
      const points = new Uint8Array(size * scalars.length);
      new FixedBase().multiply(group, new Uint8Array(Buffer.concat(scalars.map(littleEndian32))), points);
      for (const i of [...edges.keys(), ...edges.keys().map((k) => scalars.length - 1 - k)]) {
        const expected = new Uint8Array(size);
        toRprLEM.call(owner, expected, 0, timesScalar.call(owner, g, scalars[i] as bigint));
        assert.deepEqual(points.subarray(size * i, size * (i + 1)), expected, `scalar ${scalars[i]}`);
      }
    });
  }
});

describe("createDevelopmentKey", () => {
  let r1cs: R1cs;
  let wasm: string;
  before(async () => {
    const compiled = await compileTemporary(`pragma circom 2.1.6;
include "circuits/lib/ceilingQuotient.circom";
component main {public [quotient]} = AssertCeilingQuotient(8, 8);
`);
    r1cs = decodeR1cs(await readFile(compiled.r1cs));
    wasm = compiled.wasm;
  });

  it("gives the same bytes whatever the number of threads", async () => {
    assert.deepEqual(
      await createDevelopmentKey(r1cs, { threads: 1 }),
      await createDevelopmentKey(r1cs, { threads: 3 }),
    );
  });

  it("gives a key with which snarkjs proves the statement and only the statement", async () => {
    const snarkjs = await loadSnarkjs();
    const zkey = { type: "mem", data: await createDevelopmentKey(r1cs) } as const;
    const key = await snarkjs.zKey.exportVerificationKey(zkey);
    const witness: { type: "mem"; data?: Uint8Array } = { type: "mem" };
    await snarkjs.wtns.calculate({ dividend: 1000, divisor: 7, quotient: 143 }, wasm, witness);
    const { proof, publicSignals } = await snarkjs.groth16.prove(zkey, witness);
    assert.ok(await snarkjs.groth16.verify(key, publicSignals, proof));
    assert.ok(!(await snarkjs.groth16.verify(key, ["142"], proof)));
  });

  it("a false witness gives something that does not verify, which is why provers verify", async () => {
    const snarkjs = await loadSnarkjs();
    const zkey = { type: "mem", data: await createDevelopmentKey(r1cs) } as const;
    const witness: { type: "mem"; data?: Uint8Array } = { type: "mem" };
    await snarkjs.wtns.calculate({ dividend: 1000, divisor: 7, quotient: 143 }, wasm, witness);
    const bytes = witness.data as Uint8Array;
    const quotient = 76 + 32; // Header 76 bytes; wire 1, little-endian.
    assert.equal(bytes[quotient], 143);
    bytes[quotient] = 142;
    const { proof, publicSignals } = await snarkjs.groth16.prove(zkey, { type: "mem", data: bytes });
    assert.deepEqual(publicSignals, ["142"]);
    assert.ok(!(await snarkjs.groth16.verify(await snarkjs.zKey.exportVerificationKey(zkey), publicSignals, proof)));
  });
});
