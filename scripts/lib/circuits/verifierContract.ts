// SPDX-License-Identifier: Apache-2.0
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { loadSnarkjs } from "../../../src/proving/snarkjsDoor.ts";

/** What a verifier contract is made for. */
export interface VerifierSpecification {
  /** Name of the contract. */
  readonly contract: string;
  /** Instance in circuits/circuits.json. */
  readonly circuit: string;
  readonly capacity: number;
  readonly publicSignals: readonly string[];
  /** The key's secrets are known: the contract then refuses to be deployed on anything but a development chain. */
  readonly development: boolean;
}

/**
 * Solidity source of the verifier for a Groth16 key, implementing IProofVerifier.
 *
 * The arithmetic is snarkjs's template, untouched; head, name and entry point are replaced. Each replacement must match exactly once, so a
 * new version of the template is noticed here and not on a chain. The template refuses public signals that are not below p.
 */
export async function verifierContract(zkey: Uint8Array, specification: VerifierSpecification): Promise<string> {
  const snarkjs = await loadSnarkjs();
  const template = await readFile(
    join(dirname(createRequire(import.meta.url).resolve("snarkjs")), "../templates/verifier_groth16.sol.ejs"),
    "utf8",
  );
  const source = await snarkjs.zKey.exportSolidityVerifier({ type: "mem", data: zkey }, { groth16: template });
  const { publicSignals } = specification;
  const entry = `function verifyProof(uint[2] calldata _pA, uint[2][2] calldata _pB, uint[2] calldata _pC, uint[${publicSignals.length}] calldata _pubSignals) public view returns (bool) {`;
  const replacements: [string, string][] = [
    ["pragma solidity >=0.7.0 <0.9.0;\n\ncontract Groth16Verifier {\n", head(specification)],
    [
      entry,
      `/// @inheritdoc IProofVerifier\n    ${entry.replace("verifyProof", "verify").replaceAll("uint[", "uint256[").replace("public view", "external view")}`,
    ],
  ];
  const replaced = replacements.reduce((text, [from, to]) => replaceOnce(text, from, to), source);
  return `${replaced
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n")
    .replace(/\n{3,}/g, "\n\n")
    .trimEnd()}\n`;
}

function head({ contract, circuit, capacity, publicSignals, development }: VerifierSpecification): string {
  const warning = development
    ? `
 * DEVELOPMENT KEY. Its secrets are published in scripts/lib/developmentKey, so anybody can prove anything to this contract. It refuses to be
 * deployed outside the development chains. Real keys come from scripts/ceremony.ts.`
    : "";
  const guard = development
    ? `
    /// The key behind this contract is worth nothing on a real chain.
    error ${contract}DevelopmentChainsOnly(uint256 chainId);

    constructor() {
        if (block.chainid != 31337 && block.chainid != 1337) revert ${contract}DevelopmentChainsOnly(block.chainid);
    }
`
    : "";
  return `pragma solidity ^0.8.28;

import {IProofVerifier} from "../interfaces/IProofVerifier.sol";

/**
 * @title Groth16 verifier of the circuit ${circuit}, at most ${capacity} accepted updates
 * @notice Public signals, in this order: ${publicSignals.join(", ")}.
 * What a proof states, and what it leaves to the caller, is in the head of the circuit.
 * @dev Generated, do not edit: the parts around snarkjs's template by scripts/lib/circuits/verifierContract.ts.${warning}
 */
contract ${contract} is IProofVerifier {${guard}
    /// @inheritdoc IProofVerifier
    function capacity() external pure returns (uint256) {
        return ${capacity};
    }

    /// @inheritdoc IProofVerifier
    function developmentKey() external pure returns (bool) {
        return ${development};
    }

`;
}

function replaceOnce(text: string, from: string, to: string): string {
  const parts = text.split(from);
  if (parts.length !== 2)
    throw new Error(
      `snarkjs's verifier template changed: "${from}" occurs ${parts.length - 1} times, not once. Read the new template, then adapt this file.`,
    );
  return parts.join(to);
}
