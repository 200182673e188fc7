// SPDX-License-Identifier: Apache-2.0
import { recoverAddress, Signature } from "ethers";
import { toHex } from "../protocol/bytes.ts";

const LENGTH = 65;

/**
 * The account that signed a digest, as the contracts see it: 65 bytes r ‖ s ‖ v with v 27 or 28 and s in the lower half (OpenZeppelin's ECDSA
 * refuses the rest, since every signature has a second form with the other s).
 *
 * @param digest 32 bytes
 * @returns undefined for what is no such signature.
 */
export function recoverSigner(digest: Uint8Array, signature: Uint8Array): string | undefined {
  if (digest.length !== 32 || signature.length !== LENGTH) return undefined;
  const v = signature[LENGTH - 1];
  if (v !== 27 && v !== 28) return undefined;
  try {
    // Throws for s in the upper half, and recovering does for an r that is no point's coordinate.
    return recoverAddress(toHex(digest), Signature.from(toHex(signature)));
  } catch {
    return undefined;
  }
}
