// SPDX-License-Identifier: Apache-2.0
import type { Federation } from "./federation.ts";
import type { RoundFacts } from "./simulateRound.ts";

/** Header, signature and digest that go with every upload (spec C7). */
const UPLOAD_OVERHEAD = 32 + 64 + 32;
const FLOAT_BYTES = 4;

/** Bytes that a real federation would have moved: payloads up as they were coded, the model's float view down. */
export class Traffic {
  readonly #stateBytes: number;
  #uplink = 0;
  #downlink: number;
  #dense = 0;

  constructor({ layout, config, members }: Federation) {
    this.#stateBytes = FLOAT_BYTES * layout.size;
    // Who is sent movements has to have a model to apply them to.
    this.#downlink = config.update.downlink === undefined ? 0 : this.#stateBytes * members.length;
  }

  /** @param downlinkBytes of the model's coded movement; undefined: the float view is sent. */
  add({ invited, uplinkBytes }: Pick<RoundFacts, "invited" | "uplinkBytes">, downlinkBytes?: number): void {
    this.#uplink += uplinkBytes + UPLOAD_OVERHEAD * invited.length;
    this.#downlink += (downlinkBytes ?? this.#stateBytes) * invited.length;
    // Members' own architectures differ in what a dense upload would be.
    for (const { model } of invited) this.#dense += FLOAT_BYTES * model.parameterCount + UPLOAD_OVERHEAD;
  }

  result(): { uplinkBytes: number; downlinkBytes: number; denseUplinkBytes: number } {
    return { uplinkBytes: this.#uplink, downlinkBytes: this.#downlink, denseUplinkBytes: this.#dense };
  }
}
