// SPDX-License-Identifier: Apache-2.0
import type { UpdateChunk, UpdateReader, UpdateSource } from "../protocol/updateChunk.ts";
import type { KernelMemory, WideKernels } from "../protocol/wideKernels.ts";
import type { Span } from "./spans.ts";

/** A vector that can be read any number of times, whosever it is. */
export type VectorSource = Pick<UpdateSource, "size" | "bytesPerChunk" | "open">;

/** Chunks of one span with the memory they lie in. */
interface Filled {
  readonly span: Span;
  readonly chunks: UpdateChunk[];
}

/**
 * One pass over K updates: calls `visit` for every span in order with the chunks of all updates. While one span is computed the next is read,
 * into the other half of the memory, so fetching, inflating and computing overlap; no more than two spans are ever held.
 *
 * @param signal ends the pass between two spans, and a read that does not end by itself at once; the pass then rejects with the signal's reason.
 */
export async function eachSpan(
  sources: readonly VectorSource[],
  spans: readonly Span[],
  kernels: WideKernels,
  visit: (span: Span, chunks: readonly UpdateChunk[]) => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  signal?.throwIfAborted();
  const longest = spans.reduce((most, { size }) => Math.max(most, size), 0);
  const readers: UpdateReader[] = [];
  const memories: KernelMemory[] = [];
  let reads: Promise<UpdateChunk>[] = [];
  const closeAll = (): Promise<unknown> => Promise.allSettled(readers.map((reader) => reader.close()));
  signal?.addEventListener("abort", closeAll);
  try {
    for (const source of sources) readers.push(await source.open());
    const halves = [0, 1].map(() =>
      sources.map((source) => {
        const memory = kernels.allocate(source.bytesPerChunk(longest));
        memories.push(memory);
        return memory.bytes;
      }),
    );
    const read = async (at: number): Promise<Filled> => {
      const span = spans[at] as Span;
      const half = halves[at % 2] as Uint8Array[];
      reads = readers.map((reader, k) => reader.read(span.size, half[k] as Uint8Array));
      return { span, chunks: await Promise.all(reads) };
    };
    let next = read(0);
    for (let at = 0; at < spans.length; at++) {
      const { span, chunks } = await next;
      signal?.throwIfAborted();
      if (at + 1 < spans.length) {
        next = read(at + 1);
        // If visiting fails first, this read may fail later with nobody waiting.
        next.catch(() => {});
      }
      await visit(span, chunks);
    }
  } catch (error) {
    // Not what a closed reader says.
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener("abort", closeAll);
    // One read has failed, or visiting has: closing ends the other reads, and until they have ended they may write to their memory.
    await closeAll();
    await Promise.allSettled(reads);
    for (const memory of memories) memory.free();
  }
}
