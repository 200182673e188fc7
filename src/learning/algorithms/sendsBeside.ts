// SPDX-License-Identifier: Apache-2.0
import type { ClientConfig } from "../../protocol/recipe/clientConfig.ts";

/**
 * Whether a client algorithm sends tensors beside the model. A server optimiser would take them for directions to follow, as it does with the
 * model, and they are not: most are sums or means that the next round needs as they are.
 */
export function sendsBeside(client: ClientConfig | undefined): boolean {
  switch (client?.name) {
    case "scaffold":
    case "functional":
      return true;
    case "local-sgd":
      return client.momentumState === "averaged";
    case "fedeba":
      return client.gradientAlpha > 0;
    case "fedmeta":
      return client.learnRates;
    case "lora":
      return client.mode !== "stack";
    default:
      return false;
  }
}
