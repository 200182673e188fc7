// SPDX-License-Identifier: Apache-2.0
import type { ContentStore } from "../protocol/contentStore.ts";
import { openGatewayStore } from "./gatewayStore.ts";
import type { HeliaStoreOptions } from "./heliaStore.ts";
import { openMemoryStore } from "./memoryStore.ts";
import { parseStoreConfig, type StoreConfigInput } from "./storeConfig.ts";

/**
 * Opens the store that a configuration describes. Helia is loaded only when asked for: an audit through a gateway
 * starts without it.
 *
 * @throws StoreConfigInvalid
 */
export async function openStore(
  config: StoreConfigInput,
  options: Pick<HeliaStoreOptions, "onProblem"> = {},
): Promise<ContentStore> {
  const checked = parseStoreConfig(config);
  switch (checked.kind) {
    case "helia": {
      const { openHeliaStore } = await import("./heliaStore.ts");
      return openHeliaStore({ ...checked, ...options });
    }
    case "gateway":
      return openGatewayStore(checked.url);
    case "memory":
      return openMemoryStore();
  }
}
