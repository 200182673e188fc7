// SPDX-License-Identifier: Apache-2.0

/** Bytes of an upload beside its payload. */
export const UPLOAD_OVERHEAD = { header: 32, signature: 64, hash: 32 } as const;

/** Bytes of one upload: 32 + payload + 64 + 32 (spec C7). */
export function uploadBytes(payloadBytes: number): number {
  return UPLOAD_OVERHEAD.header + payloadBytes + UPLOAD_OVERHEAD.signature + UPLOAD_OVERHEAD.hash;
}

/** Bytes of a vector without compression: float32. */
export function denseBytes(size: number): number {
  return 4 * size;
}

export interface Traffic {
  /** From the client. */
  readonly up: number;
  /** To the client. */
  readonly down: number;
  readonly total: number;
}

/** Bytes by client and of the federation: never one figure that could be either (FIX 1-17), nor up and down in one. */
export interface TrafficReport {
  readonly clients: ReadonlyMap<number, Traffic>;
  readonly federation: Traffic;
}

/** Counts what goes over the wire, both ways. */
export class ByteAccount {
  readonly #up = new Map<number, number>();
  readonly #down = new Map<number, number>();

  /** An update that a client sent, kept or not. @param payloadBytes as they lie in the artifact. */
  upload(memberId: number, payloadBytes: number): void {
    add(this.#up, memberId, uploadBytes(payloadBytes));
  }

  /** What a client received: the whole model (`denseBytes` of it, or its checkpoint's bytes) or the downlinks that it had missed. */
  download(memberId: number, bytes: number): void {
    add(this.#down, memberId, bytes);
  }

  report(): TrafficReport {
    const ids = [...new Set([...this.#up.keys(), ...this.#down.keys()])].sort((a, b) => a - b);
    const clients = new Map(ids.map((id) => [id, trafficOf(this.#up.get(id) ?? 0, this.#down.get(id) ?? 0)]));
    const sum = (bytes: Map<number, number>): number => [...bytes.values()].reduce((total, one) => total + one, 0);
    return { clients, federation: trafficOf(sum(this.#up), sum(this.#down)) };
  }
}

function trafficOf(up: number, down: number): Traffic {
  return { up, down, total: up + down };
}

function add(bytes: Map<number, number>, id: number, more: number): void {
  bytes.set(id, (bytes.get(id) ?? 0) + more);
}
