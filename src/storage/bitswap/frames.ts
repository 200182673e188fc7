// SPDX-License-Identifier: Apache-2.0
import { encodeVarint, MalformedMessage, readVarint } from "./message.ts";

/** Largest message accepted, as in boxo and Helia: 4 MiB. Blocks here have at most 1 MiB. */
export const MAX_FRAME_BYTES = 4 << 20;

/** A message with its length before it. */
export function frame(message: Uint8Array): Uint8Array {
  return Buffer.concat([encodeVarint(message.length), message]);
}

/**
 * Cuts a byte stream into messages.
 *
 * @throws MalformedMessage when a length is above {@link MAX_FRAME_BYTES}, before the message is gathered, or when the
 *   stream ends within a message.
 */
export async function* readFrames(stream: AsyncIterable<{ subarray(): Uint8Array }>): AsyncGenerator<Uint8Array> {
  let parts: Uint8Array[] = [];
  let gathered = 0;
  let needed: number | undefined;
  for await (const data of stream) {
    const part = data.subarray();
    parts.push(part);
    gathered += part.length;
    while (true) {
      if (needed === undefined) {
        const head = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
        parts = [head];
        const length = readVarint(head, 0);
        if (length === undefined) break;
        if (length.value > MAX_FRAME_BYTES)
          throw new MalformedMessage(
            `A message of ${length.value} bytes is announced; at most ${MAX_FRAME_BYTES} are accepted.`,
          );
        needed = length.value;
        parts = [head.subarray(length.end)];
        gathered = parts[0]!.length;
      }
      if (gathered < needed) break;
      const whole = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
      yield whole.subarray(0, needed);
      parts = [whole.subarray(needed)];
      gathered = parts[0]!.length;
      needed = undefined;
      if (gathered === 0) break;
    }
  }
  if (needed !== undefined || gathered > 0) throw new MalformedMessage("The stream ends within a message.");
}
