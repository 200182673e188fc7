// SPDX-License-Identifier: Apache-2.0

/** The parts of snarkjs 0.7.6 that we use; the package ships no types. Numbers cross its border as decimal strings. */
declare module "snarkjs" {
  /** A path, or bytes in memory (read: `data` given; written: `data` set by the call). */
  export type FileLike = string | { type: "mem"; data?: Uint8Array };

  export interface Logger {
    debug(message: string): void;
    info(message: string): void;
    warn(message: string): void;
    error(message: string): void;
  }

  export interface Groth16Proof {
    pi_a: [string, string, string];
    pi_b: [[string, string], [string, string], [string, string]];
    pi_c: [string, string, string];
    protocol: "groth16";
    curve: "bn128";
  }

  /** Opaque here: made by `zKey.exportVerificationKey`, taken by `groth16.verify` and the Solidity template. */
  export interface VerificationKey {
    protocol: string;
    curve: string;
    nPublic: number;
    IC: [string, string, string][];
  }

  export interface Curve {
    G1: Group;
    G2: Group;
    terminate(): Promise<void>;
  }
  export interface Group {
    fromObject(coordinates: unknown): Uint8Array;
    isValid(point: Uint8Array): boolean;
    isZero(point: Uint8Array): boolean;
    timesScalar(point: Uint8Array, scalar: bigint): Uint8Array;
  }

  /** What a ceremony's contribution leaves in the key. */
  export interface MpcParams {
    csHash: Uint8Array;
    contributions: readonly { type: number; name?: string; contributionHash: Uint8Array }[];
  }

  export const curves: {
    getCurveFromName(name: "bn128", options?: { singleThread?: boolean }): Promise<Curve>;
  };
  export const wtns: {
    calculate(input: Record<string, unknown>, wasm: FileLike, witness: FileLike): Promise<void>;
    check(r1cs: FileLike, witness: FileLike, logger?: Logger): Promise<boolean>;
    exportJson(witness: FileLike): Promise<bigint[]>;
  };
  export const groth16: {
    prove(zkey: FileLike, witness: FileLike): Promise<{ proof: Groth16Proof; publicSignals: string[] }>;
    verify(key: VerificationKey, publicSignals: readonly string[], proof: Groth16Proof): Promise<boolean>;
  };
  export const powersOfTau: {
    newAccumulator(curve: Curve, power: number, file: FileLike, logger?: Logger): Promise<Uint8Array>;
    contribute(from: FileLike, to: FileLike, name: string, entropy: string, logger?: Logger): Promise<Uint8Array>;
    preparePhase2(from: FileLike, to: FileLike, logger?: Logger): Promise<void>;
    verify(file: FileLike, logger?: Logger): Promise<boolean>;
  };
  export const zKey: {
    /** Returns the circuit hash, or -1 when the ptau does not fit (the reason goes to the logger). */
    newZKey(r1cs: FileLike, ptau: FileLike, zkey: FileLike, logger?: Logger): Promise<Uint8Array | -1>;
    contribute(from: FileLike, to: FileLike, name: string, entropy: string, logger?: Logger): Promise<Uint8Array>;
    beacon(
      from: FileLike,
      to: FileLike,
      name: string,
      beaconHex: string,
      iterationsExp: number,
      logger?: Logger,
    ): Promise<Uint8Array | false>;
    verifyFromR1cs(r1cs: FileLike, ptau: FileLike, zkey: FileLike, logger?: Logger): Promise<boolean>;
    exportVerificationKey(zkey: FileLike): Promise<VerificationKey>;
    exportSolidityVerifier(zkey: FileLike, templates: { groth16: string }): Promise<string>;
  };
}
