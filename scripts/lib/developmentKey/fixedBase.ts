// SPDX-License-Identifier: Apache-2.0
import { createRequire } from "node:module";

/** 1: the group of the proof's A and C; 2: the group over the quadratic extension, of the proof's B. */
export type Group = 1 | 2;

/** Bytes of an affine point: two coordinates of the group's field, little-endian Montgomery form, as `.zkey` stores them. */
export const AFFINE_BYTES = { 1: 64, 2: 128 } as const;
const JACOBIAN_BYTES = { 1: 96, 2: 192 } as const;

const WINDOWS = 32;
const WINDOW_VALUES = 256;
const BATCH = 2048;

/** The part of the WebAssembly API used here; the compiler's "esnext" library does not describe it. */
interface WebAssemblyApi {
  readonly Memory: new (limits: { initial: number; maximum: number }) => WasmMemory;
  readonly Module: new (code: Uint8Array) => object;
  readonly Instance: new (module: object, imports: { env: { memory: WasmMemory } }) => { readonly exports: unknown };
}
interface WasmMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}
const { Instance, Memory, Module } = (globalThis as unknown as { WebAssembly: WebAssemblyApi }).WebAssembly;

interface CurveWasm {
  readonly code: string;
  readonly pG1gen: number;
  readonly pG2gen: number;
}

/** The operations of one group in the WebAssembly module; arguments are addresses in its memory. */
interface GroupOperations {
  zero(point: number): void;
  copy(from: number, to: number): void;
  double(point: number, result: number): void;
  add(a: number, b: number, result: number): void;
  addMixed(jacobian: number, affine: number, result: number): void;
  batchToAffine(jacobian: number, count: number, result: number): void;
}

/**
 * Multiplies the generators of BN254 by many scalars, on wasmcurves' WebAssembly primitives.
 *
 * For each of the 32 bytes of a scalar a table holds its 256 multiples, so a product is at most 32 additions: some ten times faster than
 * multiplying each time anew, at 0.5 MB (group 1) and 1 MB (group 2) of table.
 */
export class FixedBase {
  readonly #memory: WasmMemory;
  readonly #exports: Record<string, (...addresses: number[]) => void>;
  readonly #generators: Record<Group, number>;
  readonly #tables = new Map<Group, number>();
  #top: number;

  constructor() {
    const wasm = createRequire(import.meta.url)("wasmcurves/build/bn128_wasm.js") as CurveWasm;
    this.#memory = new Memory({ initial: 128, maximum: 1024 });
    const instance = new Instance(new Module(Buffer.from(wasm.code, "base64")), { env: { memory: this.#memory } });
    this.#exports = instance.exports as Record<string, (...addresses: number[]) => void>;
    this.#generators = { 1: wasm.pG1gen, 2: wasm.pG2gen };
    this.#top = this.#heapStart();
  }

  /**
   * `points[i] = scalars[i] · generator`, affine.
   *
   * @param scalars 32 little-endian bytes each, not in Montgomery form.
   * @param points receives AFFINE_BYTES[group] bytes each; the point at infinity is all zero.
   */
  multiply(group: Group, scalars: Uint8Array, points: Uint8Array): void {
    const operations = this.#operations(group);
    const table = this.#table(group);
    const [affineBytes, jacobianBytes] = [AFFINE_BYTES[group], JACOBIAN_BYTES[group]];
    const mark = this.#top;
    const sums = this.#allocate(BATCH * jacobianBytes);
    const affine = this.#allocate(BATCH * affineBytes);

    const count = scalars.length / 32;
    for (let start = 0; start < count; start += BATCH) {
      const size = Math.min(BATCH, count - start);
      for (let i = 0; i < size; i++) {
        const sum = sums + i * jacobianBytes;
        operations.zero(sum);
        for (let window = 0; window < WINDOWS; window++) {
          const value = scalars[(start + i) * 32 + window] as number;
          if (value !== 0) operations.addMixed(sum, table + (window * WINDOW_VALUES + value) * affineBytes, sum);
        }
      }
      operations.batchToAffine(sums, size, affine);
      points.set(new Uint8Array(this.#memory.buffer, affine, size * affineBytes), start * affineBytes);
    }
    this.#release(mark);
  }

  /** Affine multiples: entry (window, value) at (256 · window + value) is value · 2^(8 · window) · generator. */
  #table(group: Group): number {
    const known = this.#tables.get(group);
    if (known !== undefined) return known;
    const operations = this.#operations(group);
    const [affineBytes, jacobianBytes] = [AFFINE_BYTES[group], JACOBIAN_BYTES[group]];
    const table = this.#allocate(WINDOWS * WINDOW_VALUES * affineBytes);
    const mark = this.#top;
    const multiples = this.#allocate(WINDOW_VALUES * jacobianBytes);
    const base = this.#allocate(jacobianBytes);
    operations.copy(this.#generators[group], base);
    for (let window = 0; window < WINDOWS; window++) {
      operations.zero(multiples);
      for (let value = 1; value < WINDOW_VALUES; value++) {
        operations.add(multiples + (value - 1) * jacobianBytes, base, multiples + value * jacobianBytes);
      }
      operations.batchToAffine(multiples, WINDOW_VALUES, table + window * WINDOW_VALUES * affineBytes);
      for (let bit = 0; bit < 8; bit++) operations.double(base, base);
    }
    this.#release(mark);
    this.#tables.set(group, table);
    return table;
  }

  #operations(group: Group): GroupOperations {
    const operation = (name: string): ((...addresses: number[]) => void) => {
      const found = this.#exports[`g${group}m_${name}`];
      if (found === undefined)
        throw new Error(`wasmcurves has no function g${group}m_${name}. Install the version that package.json names.`);
      return found;
    };
    return {
      zero: operation("zero"),
      copy: operation("copy"),
      double: operation("double"),
      add: operation("add"),
      addMixed: operation("addMixed"),
      batchToAffine: operation("batchToAffine"),
    };
  }

  /**
   * wasmcurves allocates its own temporaries from the pointer in memory word 0 (batchToAffine does). It must stay above everything of
   * ours, else results are silently wrong.
   */
  #heapStart(): number {
    return align(new Uint32Array(this.#memory.buffer, 0, 1)[0] as number);
  }

  #allocate(bytes: number): number {
    const address = this.#top;
    this.#release(align(address + bytes));
    // Room for what batchToAffine allocates above: at most one field element and one byte for each point of a batch.
    const wanted = this.#top + BATCH * JACOBIAN_BYTES[2];
    const missing = wanted - this.#memory.buffer.byteLength;
    if (missing > 0) this.#memory.grow(Math.ceil(missing / 65536));
    return address;
  }

  #release(top: number): void {
    this.#top = top;
    new Uint32Array(this.#memory.buffer, 0, 1)[0] = top;
  }
}

function align(address: number): number {
  return (address + 63) & ~63;
}
