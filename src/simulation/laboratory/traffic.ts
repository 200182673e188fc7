// SPDX-License-Identifier: Apache-2.0
import { ByteAccount, denseBytes, type TrafficReport, uploadBytes } from "../../update/byteAccounting.ts";
import type { CellResult } from "./cellResult.ts";
import { modelBytes } from "./deliverModel.ts";
import type { Federation } from "./federation.ts";
import type { RoundFacts } from "./simulateRound.ts";

/**
 * Bytes that a real federation would have moved (spec C7): what members sent, coded, with header, signature and digest; and what each was sent at the
 * start of its rounds, the model's float view, or what its replica lacked of the head. What only the last model would take is not counted.
 */
export class Traffic {
  readonly #modelBytes: number;
  readonly #account = new ByteAccount();
  #dense = 0;

  constructor(federation: Federation) {
    this.#modelBytes = modelBytes(federation);
  }

  add({ invited, sentBytes = new Map(), delivered }: Pick<RoundFacts, "invited" | "sentBytes" | "delivered">): void {
    for (const [id, bytes] of sentBytes) this.#account.upload(id, bytes);
    for (const { id, model } of invited) {
      this.#account.download(id, delivered?.get(id)?.bytes ?? this.#modelBytes);
      // Members' own architectures differ in what a dense upload would be.
      this.#dense += uploadBytes(denseBytes(model.parameterCount));
    }
  }

  /** By member and of the federation. */
  report(): TrafficReport {
    return this.#account.report();
  }

  result(): CellResult["traffic"] {
    const { clients, federation } = this.report();
    return {
      uplinkBytes: federation.up,
      downlinkBytes: federation.down,
      denseUplinkBytes: this.#dense,
      members: Array.from(clients, ([id, { up, down }]) => ({ id, up, down })),
    };
  }
}
