// SPDX-License-Identifier: Apache-2.0
import { acceptanceThreshold } from "../protocol/quorum.ts";
import type { MemberFault } from "./faults/memberFaults.ts";
import type { ValidatorFault } from "./faults/validatorFaults.ts";

/** Who misbehaves, when and how, in the demo (rounds past the end of a shorter demo simply do not come). */
export interface DemoFaults {
  /** By member position, 0-based. */
  readonly members: ReadonlyMap<number, MemberFault>;
  readonly attacker: { readonly position: number; readonly fromRound: number };
  readonly replay: { readonly position: number; readonly round: number };
  readonly withhold: { readonly position: number; readonly round: number };
  readonly serveSome: { readonly position: number; readonly round: number; readonly validators: readonly number[] };
  /** By validator index. */
  readonly liar: { readonly index: number; readonly round: number };
  /** The round's first proposer, killed between its attestation and its finalisation. */
  readonly killed: { readonly index: number; readonly round: number };
}

export function demoFaults(members: number, storeAddresses: readonly string[], swarmKeyFile: string): DemoFaults {
  const n = storeAddresses.length;
  const liarRound = 8;
  const liar = lastIndexBut(n, liarRound % n);
  const honest = Array.from({ length: n }, (_, index) => index).filter((index) => index !== liar);
  const served = honest.slice(0, acceptanceThreshold(n));
  const faults: Omit<DemoFaults, "members"> = {
    attacker: { position: members - 1, fromRound: 4 },
    replay: { position: 0, round: 6 },
    withhold: { position: 1, round: 7 },
    serveSome: { position: 2, round: liarRound, validators: served },
    liar: { index: liar, round: liarRound },
    killed: { index: 9 % n, round: 9 },
  };
  return {
    ...faults,
    members: new Map<number, MemberFault>([
      [faults.attacker.position, { kind: "negate", fromRound: 4, factor: 4 }],
      [faults.replay.position, { kind: "replay", round: faults.replay.round }],
      [faults.withhold.position, { kind: "withhold", round: faults.withhold.round }],
      [
        faults.serveSome.position,
        {
          kind: "serve-some",
          round: liarRound,
          peers: served.map((index) => storeAddresses[index] as string),
          swarmKeyFile,
        },
      ],
    ]),
  };
}

export function validatorFault(faults: DemoFaults, index: number): ValidatorFault | undefined {
  return index === faults.liar.index ? { kind: "lie", round: faults.liar.round } : undefined;
}

function lastIndexBut(n: number, excluded: number): number {
  return excluded === n - 1 ? n - 2 : n - 1;
}
