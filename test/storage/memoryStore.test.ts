// SPDX-License-Identifier: Apache-2.0
import { MemoryNetwork, openMemoryStore } from "../../src/storage/memoryStore.ts";
import { contentStoreContract } from "./contentStore.contract.ts";

contentStoreContract("memoryStore", {
  readerHolds: true,
  async open(t) {
    const network = new MemoryNetwork();
    const [writer, reader] = [await openMemoryStore(network), await openMemoryStore(network)];
    t.after(() => Promise.all([writer.close(), reader.close()]));
    return { writer, reader };
  },
});
