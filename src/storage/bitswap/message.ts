// SPDX-License-Identifier: Apache-2.0

/**
 * Messages of `/ipfs/bitswap/1.2.0`: protobuf, framed by a length.
 *
 *     Message  { Wantlist wantlist = 1; repeated Block payload = 3; repeated Presence presences = 4; int32 pendingBytes = 5 }
 *     Wantlist { repeated Entry entries = 1; bool full = 2 }
 *     Entry    { bytes cid = 1; int32 priority = 2; bool cancel = 3; WantType type = 4; bool sendDontHave = 5 }
 *     Block    { bytes prefix = 1; bytes data = 2 }
 *     Presence { bytes cid = 1; PresenceType type = 2 }
 *
 * Source: https://specs.ipfs.tech/bitswap-protocol/ and boxo's `bitswap/message/pb/message.proto`.
 *
 * @module
 */

export interface WantEntry {
  /** Binary CID. */
  readonly cid: Uint8Array;
  readonly cancel: boolean;
  /** Only asks whether the peer has the block. */
  readonly haveOnly: boolean;
  /** Wants to be told when the peer does not have it. */
  readonly sendDontHave: boolean;
}

export interface SentBlock {
  /** CID without its digest: version, codec, hash code, digest length, each a varint. */
  readonly prefix: Uint8Array;
  readonly data: Uint8Array;
}

export interface Presence {
  readonly cid: Uint8Array;
  readonly have: boolean;
}

export interface BitswapMessage {
  /** Whether the wants replace all earlier ones. */
  readonly full: boolean;
  readonly wants: readonly WantEntry[];
  readonly blocks: readonly SentBlock[];
  readonly presences: readonly Presence[];
}

/** Bytes from a peer that are no message. */
export class MalformedMessage extends Error {
  override readonly name = "MalformedMessage";
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const NOTHING: Uint8Array = new Uint8Array();
const WIRE_VARINT = 0;
const WIRE_FIXED64 = 1;
const WIRE_BYTES = 2;
const WIRE_FIXED32 = 5;

export function encodeMessage(message: BitswapMessage): Uint8Array {
  const entries = message.wants.map((want) =>
    lengthDelimited(
      1,
      Buffer.concat([
        lengthDelimited(1, want.cid),
        varintField(2, 1),
        ...(want.cancel ? [varintField(3, 1)] : []),
        ...(want.haveOnly ? [varintField(4, 1)] : []),
        ...(want.sendDontHave ? [varintField(5, 1)] : []),
      ]),
    ),
  );
  return Buffer.concat([
    lengthDelimited(1, Buffer.concat([...entries, ...(message.full ? [varintField(2, 1)] : [])])),
    ...message.blocks.map(({ prefix, data }) =>
      lengthDelimited(3, Buffer.concat([lengthDelimited(1, prefix), lengthDelimited(2, data)])),
    ),
    ...message.presences.map(({ cid, have }) =>
      lengthDelimited(4, Buffer.concat([lengthDelimited(1, cid), varintField(2, have ? 0 : 1)])),
    ),
  ]);
}

/** @throws MalformedMessage */
export function decodeMessage(bytes: Uint8Array): BitswapMessage {
  let full = false;
  const wants: WantEntry[] = [];
  const blocks: SentBlock[] = [];
  const presences: Presence[] = [];
  for (const [field, value] of fields(bytes)) {
    if (field === 1) {
      for (const [inner, entry] of fields(asBytes(value))) {
        if (inner === 1) wants.push(decodeWant(asBytes(entry)));
        if (inner === 2) full = asNumber(entry) !== 0;
      }
    } else if (field === 3) {
      blocks.push(decodeBlock(asBytes(value)));
    } else if (field === 4) {
      presences.push(decodePresence(asBytes(value)));
    }
  }
  return { full, wants, blocks, presences };
}

function decodeWant(bytes: Uint8Array): WantEntry {
  const want: Mutable<WantEntry> = { cid: NOTHING, cancel: false, haveOnly: false, sendDontHave: false };
  for (const [field, value] of fields(bytes)) {
    if (field === 1) want.cid = asBytes(value);
    if (field === 3) want.cancel = asNumber(value) !== 0;
    if (field === 4) want.haveOnly = asNumber(value) === 1;
    if (field === 5) want.sendDontHave = asNumber(value) !== 0;
  }
  return want;
}

function decodeBlock(bytes: Uint8Array): SentBlock {
  const block: Mutable<SentBlock> = { prefix: NOTHING, data: NOTHING };
  for (const [field, value] of fields(bytes)) {
    if (field === 1) block.prefix = asBytes(value);
    if (field === 2) block.data = asBytes(value);
  }
  return block;
}

function decodePresence(bytes: Uint8Array): Presence {
  const presence: Mutable<Presence> = { cid: NOTHING, have: true };
  for (const [field, value] of fields(bytes)) {
    if (field === 1) presence.cid = asBytes(value);
    if (field === 2) presence.have = asNumber(value) === 0;
  }
  return presence;
}

/** Fields of one protobuf message in order; unknown ones are for the caller to skip. */
function* fields(bytes: Uint8Array): Generator<[field: number, value: number | Uint8Array]> {
  let offset = 0;
  const varint = (): number => {
    const read = readVarint(bytes, offset);
    if (read === undefined) throw new MalformedMessage("A number runs past the end of its message.");
    offset = read.end;
    return read.value;
  };
  const take = (length: number): Uint8Array => {
    if (length > bytes.length - offset)
      throw new MalformedMessage(`A field of ${length} bytes runs past the end of its message.`);
    offset += length;
    return bytes.subarray(offset - length, offset);
  };
  while (offset < bytes.length) {
    const tag = varint();
    const field = Math.floor(tag / 8);
    const wire = tag % 8;
    if (wire === WIRE_VARINT) yield [field, varint()];
    else if (wire === WIRE_BYTES) yield [field, take(varint())];
    else if (wire === WIRE_FIXED64) take(8);
    else if (wire === WIRE_FIXED32) take(4);
    else throw new MalformedMessage(`Field ${field} has the unknown wire type ${wire}.`);
  }
}

function asBytes(value: number | Uint8Array): Uint8Array {
  if (typeof value === "number") throw new MalformedMessage("A number stands where bytes belong.");
  return value;
}

function asNumber(value: number | Uint8Array): number {
  if (typeof value !== "number") throw new MalformedMessage("Bytes stand where a number belongs.");
  return value;
}

function varintField(field: number, value: number): Uint8Array {
  return Buffer.concat([encodeVarint(field * 8 + WIRE_VARINT), encodeVarint(value)]);
}

function lengthDelimited(field: number, value: Uint8Array): Uint8Array {
  return Buffer.concat([encodeVarint(field * 8 + WIRE_BYTES), encodeVarint(value.length), value]);
}

/** Unsigned LEB128. @param value Up to 2^53 − 1. */
export function encodeVarint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  return Uint8Array.of(...bytes, rest);
}

/**
 * Reads an unsigned LEB128 number.
 *
 * Ten bytes are accepted, since protobuf writes negative int32 values (a priority) so; beyond 2^53 the value is inexact,
 * and no length or code is that large.
 *
 * @returns undefined when the bytes end before the number does.
 * @throws MalformedMessage when it is longer than ten bytes.
 */
export function readVarint(bytes: Uint8Array, start: number): { value: number; end: number } | undefined {
  let value = 0;
  let scale = 1;
  for (let end = start; end < bytes.length; end++) {
    if (end - start >= 10) throw new MalformedMessage("A number is longer than ten bytes.");
    const byte = bytes[end]!;
    value += (byte % 128) * scale;
    scale *= 128;
    if (byte < 128) return { value, end: end + 1 };
  }
  if (bytes.length - start >= 10) throw new MalformedMessage("A number is longer than ten bytes.");
  return undefined;
}
