// SPDX-License-Identifier: Apache-2.0
import type { RequestHandler } from "express";
import type { ContentStore } from "../../protocol/contentStore.ts";
import { type GatewayHandler, gatewayHandler } from "../../storage/gatewayHandler.ts";

export interface ValidatorPages {
  readonly handler: RequestHandler;
  /** From now on the store's served objects are at `/ipfs/{cid}`. */
  open(store: ContentStore): void;
}

/** A validator's store for people and auditors: `GET /ipfs/{cid}`, what it serves to peers and nothing else. */
export function validatorPages(): ValidatorPages {
  let gateway: GatewayHandler | undefined;
  return {
    handler: (request, response, next) => (gateway === undefined ? next() : gateway(request, response, next)),
    open(store) {
      gateway = gatewayHandler(store);
    },
  };
}
