// SPDX-License-Identifier: Apache-2.0
import type { ContentId } from "../protocol/contentStore.ts";
import { ContentMismatch, ContentTooLarge } from "./errors.ts";
import { IMPORT_PARAMETERS, type ImportParameters, nameOf } from "./importContent.ts";

/**
 * Passes chunks on while recomputing the name of what passes, wherever the chunks came from and whatever was verified
 * on the way: one rule for the local folder, peers and gateways.
 *
 * The consumer has every byte before the verdict; it must not act before the end.
 *
 * @throws ContentTooLarge as soon as more than `maxBytes` have come.
 * @throws ContentMismatch at the end, when the name differs.
 */
export async function* verifyContent(
  expected: ContentId,
  chunks: AsyncIterable<Uint8Array>,
  maxBytes: number,
  parameters: ImportParameters = IMPORT_PARAMETERS,
): AsyncGenerator<Uint8Array> {
  const toHasher = new Handover<Uint8Array>();
  const name = nameOf(toHasher, parameters);
  name.catch(() => {}); // Its failure is seen below; until then it must not count as unhandled.
  try {
    let bytes = 0;
    for await (const chunk of chunks) {
      bytes += chunk.length;
      if (bytes > maxBytes) throw new ContentTooLarge(expected, maxBytes, bytes);
      await Promise.race([toHasher.give(chunk), name]);
      yield chunk;
    }
  } finally {
    toHasher.end();
  }
  const actual = await name;
  if (actual !== expected) throw new ContentMismatch(expected, actual);
}

/** Hands values from one loop to another, one at a time: `give` resolves when the taker asks for the next. */
class Handover<T> implements AsyncIterable<T> {
  #offered: { value: T; taken: () => void } | undefined;
  #ended = false;
  #wake: (() => void) | undefined;

  give(value: T): Promise<void> {
    return new Promise((taken) => {
      this.#offered = { value, taken };
      this.#wake?.();
    });
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    while (true) {
      if (this.#offered !== undefined) {
        const { value, taken } = this.#offered;
        this.#offered = undefined;
        yield value;
        taken();
      } else if (this.#ended) {
        return;
      } else {
        await new Promise<void>((wake) => {
          this.#wake = wake;
        });
        this.#wake = undefined;
      }
    }
  }
}
