// SPDX-License-Identifier: Apache-2.0
import { decodeBinaryFile } from "../circuits/binaryFile.ts";
import { CeremonyError } from "./errors.ts";

/** One entry of a key's history. */
export interface Contribution {
  /** A participant's secret randomness, or a public beacon that nobody could foresee. */
  readonly kind: "participant" | "beacon";
  readonly name: string;
}

const CONTRIBUTIONS_SECTION = 10;
/** Hash of the circuit and the key before contributions. */
const CIRCUIT_HASH_BYTES = 64;
/** δ after the contribution, the three G1 and one G2 points of its public key, and the transcript's hash. */
const POINTS_AND_TRANSCRIPT_BYTES = 3 * 64 + 128 + 64;
const BEACON = 1;
const PARAMETER = { name: 1, iterations: 2, beacon: 3 } as const;

/**
 * Who contributed to a `.zkey`, in order. It is what the file *says*; `verifyKey` proves it.
 *
 * Layout: snarkjs src/zkey_utils.js, `readContribution`.
 *
 * @throws CeremonyError if the section does not parse.
 */
export function readContributions(zkey: Uint8Array): Contribution[] {
  const section = decodeBinaryFile("zkey", zkey).get(CONTRIBUTIONS_SECTION);
  if (section === undefined)
    throw new CeremonyError("The key has no history (section 10). It is not a Groth16 key of snarkjs.");
  const contributions: Contribution[] = [];
  try {
    let offset = CIRCUIT_HASH_BYTES + 4;
    for (let count = section.getUint32(CIRCUIT_HASH_BYTES, true); count > 0; count--) {
      offset += POINTS_AND_TRANSCRIPT_BYTES;
      const kind = section.getUint32(offset, true) === BEACON ? "beacon" : "participant";
      const length = section.getUint32(offset + 4, true);
      offset += 8;
      contributions.push({ kind, name: readName(section, offset, offset + length) });
      offset += length;
    }
  } catch (cause) {
    throw new CeremonyError(
      "The history of the key (section 10) ends in the middle of a contribution. Ask its sender for the file again.",
      {},
      cause,
    );
  }
  return contributions;
}

function readName(section: DataView, start: number, end: number): string {
  for (let offset = start; offset < end; ) {
    const parameter = section.getUint8(offset);
    if (parameter === PARAMETER.iterations) {
      offset += 2;
      continue;
    }
    const length = section.getUint8(offset + 1);
    if (parameter === PARAMETER.name)
      return new TextDecoder().decode(new Uint8Array(section.buffer, section.byteOffset + offset + 2, length));
    offset += 2 + length;
  }
  return "";
}
