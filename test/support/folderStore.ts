// SPDX-License-Identifier: Apache-2.0
import type { ContentStore } from "../../src/protocol/contentStore.ts";
import { FolderShelf } from "../../src/storage/folderShelf.ts";
import { HeldObjects } from "../../src/storage/heldObjects.ts";
import { PeerStore } from "../../src/storage/peerStore.ts";

/** A store on disk, with nobody to exchange with. */
export async function openFolderStore(folder: string): Promise<ContentStore> {
  const held = await HeldObjects.open(await FolderShelf.open(folder), () => {});
  return new PeerStore(held, {
    session: () => ({ fetch: () => Promise.reject(new Error("There are no peers.")), close: () => {} }),
    announce: () => {},
    describePeers: () => "nobody",
    close: async () => {},
  });
}
