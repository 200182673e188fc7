// SPDX-License-Identifier: Apache-2.0
import { KernelError } from "../errors.ts";

const PAGE = 65_536;
/** What WebAssembly can address with 32 bits. */
const MOST_PAGES = 65_536;
const LINE = 64;
/** Kernels may read this far past the end of what they are given: the last, incomplete vectors of a strip. */
const SLACK = 128;

interface Hole {
  start: number;
  end: number;
}

/**
 * Pieces of one shared WebAssembly memory, which grows as needed and never shrinks. First fit, neighbouring holes joined: callers hold few and
 * large pieces.
 */
export class SharedHeap {
  readonly memory: WebAssembly.Memory;
  /** Every buffer the memory has had: growing makes a new object, and views of the old ones stay valid. */
  readonly #buffers = new WeakSet<ArrayBufferLike>();
  /** Ascending, apart from each other. */
  readonly #holes: Hole[] = [];
  #end: number;

  /** @param reserved bytes at the beginning that are never handed out. @throws KernelError OUT_OF_MEMORY */
  constructor(reserved: number) {
    try {
      this.memory = new WebAssembly.Memory({ initial: reserved / PAGE, maximum: MOST_PAGES, shared: true });
    } catch (cause) {
      throw new KernelError(
        "OUT_OF_MEMORY",
        "The process has no address space left for 4 GiB of shared memory.",
        {},
        cause,
      );
    }
    this.#buffers.add(this.memory.buffer);
    this.#end = reserved;
  }

  get buffer(): SharedArrayBuffer {
    return this.memory.buffer;
  }

  /** Whether a view lies in this memory, so that its byteOffset is an address. */
  holds(view: ArrayBufferView): boolean {
    return this.#buffers.has(view.buffer);
  }

  /** @returns the address of `bytes` bytes, on a cache line of their own. @throws KernelError OUT_OF_MEMORY */
  take(bytes: number): number {
    const size = Math.ceil((bytes + SLACK) / LINE) * LINE;
    let at = this.#holes.findIndex(({ start, end }) => end - start >= size);
    if (at < 0) {
      this.#grow(size, bytes);
      at = this.#holes.length - 1;
    }
    const hole = this.#holes[at] as Hole;
    const { start } = hole;
    hole.start += size;
    if (hole.start === hole.end) this.#holes.splice(at, 1);
    return start;
  }

  /** Gives back what `take(bytes)` gave at this address. */
  give(start: number, bytes: number): void {
    const end = start + Math.ceil((bytes + SLACK) / LINE) * LINE;
    let at = this.#holes.findIndex((hole) => hole.start > start);
    if (at < 0) at = this.#holes.length;
    this.#holes.splice(at, 0, { start, end });
    const next = this.#holes[at + 1];
    if (next?.start === end) {
      (this.#holes[at] as Hole).end = next.end;
      this.#holes.splice(at + 1, 1);
    }
    const previous = this.#holes[at - 1];
    if (previous?.end === start) {
      previous.end = (this.#holes[at] as Hole).end;
      this.#holes.splice(at, 1);
    }
  }

  /** Makes the last hole at least `size` bytes long. */
  #grow(size: number, asked: number): void {
    const last = this.#holes.at(-1);
    const present = last?.end === this.#end ? last.end - last.start : 0;
    const pages = Math.ceil((size - present) / PAGE);
    try {
      this.memory.grow(pages);
    } catch (cause) {
      throw new KernelError(
        "OUT_OF_MEMORY",
        `${asked} bytes more than the ${this.#end} in use do not fit into the kernels' 4 GiB of shared memory, or the machine has no more.`,
        { asked, inUse: this.#end },
        cause,
      );
    }
    this.#buffers.add(this.memory.buffer);
    const start = this.#end;
    this.#end += pages * PAGE;
    if (present > 0 && last !== undefined) last.end = this.#end;
    else this.#holes.push({ start, end: this.#end });
  }
}
