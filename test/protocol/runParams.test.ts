// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { AbiCoder, getAddress, id, keccak256 } from "ethers";
import type { Hex } from "../../src/protocol/bytes.ts";
import type { RunParams, ValidatorRecord } from "../../src/protocol/ledger.ts";
import { paramsDigest, validatorSetDigest } from "../../src/protocol/runParams.ts";

const word = (digits: string): Hex => `0x${digits.repeat(32)}`;
const PARAMS: RunParams = {
  recipeDigest: word("01"),
  recipeCid: word("02"),
  ruleId: word("03"),
  initialModelRoot: word("04"),
  initialCheckpointCid: word("05"),
  rounds: 6,
  maxOpenings: 7,
  cohort: 4_294_967_295,
  capacity: 65_535,
  minAccepted: 8,
  commitBlocks: 9,
  judgeBlocks: 10,
  fetchBlocks: 11,
  attestBlocks: 12,
  viewBlocks: 13,
  challengeBlocks: 14,
  alphaQ16: 58_982,
  omegaQ16: 65_536,
  verifier: getAddress(`0x${"ab".repeat(20)}`),
  token: getAddress(`0x${"cd".repeat(20)}`),
  pool: (1n << 128n) - 1n,
  disputeBond: 10n ** 18n,
  scoring: 0,
};

/** Types and names of the struct's fields, in the order of the contract. */
function fieldsOfContract(): [type: string, name: string][] {
  const source = readFileSync(new URL("../../contracts/types/RunTypes.sol", import.meta.url), "utf8");
  const body = /struct RunParams \{([^}]*)\}/.exec(source)?.[1] ?? assert.fail("no struct RunParams");
  return [...body.matchAll(/^\s*(\w+) (\w+);/gm)].map(([, type, name]) => [type as string, name as string]);
}

describe("paramsDigest", () => {
  const fields = fieldsOfContract();
  const reference = (params: RunParams) =>
    keccak256(
      AbiCoder.defaultAbiCoder().encode(
        [`tuple(${fields.map(([type, name]) => `${type} ${name}`).join(",")})`],
        [params],
      ),
    );
  it("is keccak256(abi.encode(RunParams)) of the contract's struct", () => {
    assert.deepEqual(
      fields.map(([, name]) => name),
      Object.keys(PARAMS),
    );
    assert.equal(paramsDigest(PARAMS), reference(PARAMS));
  });
  it("binds every field", () => {
    const digests = [paramsDigest(PARAMS)];
    for (const [type, name] of fields) {
      const value = type === "bytes32" ? word("ff") : type === "address" ? getAddress(`0x${"11".repeat(20)}`) : 3;
      const other = { ...PARAMS, [name]: type === "uint128" ? 3n : value } as RunParams;
      assert.equal(paramsDigest(other), reference(other), name);
      digests.push(paramsDigest(other));
    }
    assert.equal(new Set(digests).size, fields.length + 1);
  });
  it("does not depend on the capitals of an address", () => {
    assert.equal(paramsDigest({ ...PARAMS, verifier: PARAMS.verifier.toLowerCase() }), paramsDigest(PARAMS));
  });
  it("refuses a digest or an address of another length", () => {
    assert.throws(() => paramsDigest({ ...PARAMS, recipeCid: "0x00" }), { code: "MALFORMED_INPUT" });
    assert.throws(() => paramsDigest({ ...PARAMS, token: "0x00" }), { code: "MALFORMED_INPUT" });
  });
});

describe("validatorSetDigest", () => {
  const CONSORTIUM = getAddress(`0x${"12".repeat(20)}`);
  const validators: ValidatorRecord[] = [5, 9, 2].map((number, index) => ({
    id: number,
    index,
    signer: getAddress(`0x${`0${number}`.repeat(20)}`),
    encryptionKey: word(`a${number}`),
  }));
  const reference = (chainId: bigint, version: number, records: readonly ValidatorRecord[]) =>
    keccak256(
      AbiCoder.defaultAbiCoder().encode(
        ["bytes32", "uint256", "address", "uint64", "uint32[]", "address[]", "bytes32[]"],
        [
          id("foedus.v1.validatorSet"),
          chainId,
          CONSORTIUM,
          version,
          records.map((record) => record.id),
          records.map((record) => record.signer),
          records.map((record) => record.encryptionKey),
        ],
      ),
    );
  it("is the ABI coding of the set in index order", () => {
    for (const count of [0, 1, 3])
      assert.equal(
        validatorSetDigest(31_337n, CONSORTIUM, 4, validators.slice(0, count)),
        reference(31_337n, 4, validators.slice(0, count)),
      );
  });
  it("binds chain, contract, version, order and every field of a validator", () => {
    const [first, ...rest] = validators as [ValidatorRecord, ...ValidatorRecord[]];
    const digests = [
      validatorSetDigest(1n, CONSORTIUM, 1, validators),
      validatorSetDigest(2n, CONSORTIUM, 1, validators),
      validatorSetDigest(1n, PARAMS.token, 1, validators),
      validatorSetDigest(1n, CONSORTIUM, 2, validators),
      validatorSetDigest(1n, CONSORTIUM, 1, validators.toReversed()),
      validatorSetDigest(1n, CONSORTIUM, 1, rest),
      validatorSetDigest(1n, CONSORTIUM, 1, [{ ...first, id: 6 }, ...rest]),
      validatorSetDigest(1n, CONSORTIUM, 1, [{ ...first, signer: PARAMS.token }, ...rest]),
      validatorSetDigest(1n, CONSORTIUM, 1, [{ ...first, encryptionKey: word("00") }, ...rest]),
    ];
    assert.equal(new Set(digests).size, digests.length);
  });
});
