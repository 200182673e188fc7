// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { StoreConfigInvalid } from "./errors.ts";

const addresses = z.array(z.string().min(1));

/** Configuration of a store: the `store:` part of a node's or validator's file, or what `parseStoreUrl` makes. */
export const storeConfigSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("helia"),
    /** Where objects and the network identity last. Left out: in memory. */
    folder: z.string().min(1).optional(),
    /** Multiaddrs to listen on; empty to dial only. */
    listen: addresses.default(["/ip4/127.0.0.1/tcp/0"]),
    /** Multiaddrs of the peers to stay connected to. */
    peers: addresses.default([]),
    /** File with the swarm's pre-shared key. */
    swarmKeyFile: z.string().min(1).optional(),
    /** Ids of the only peers to speak with. */
    allowPeers: addresses.optional(),
  }),
  z.strictObject({ kind: z.literal("gateway"), url: z.string().min(1) }),
  z.strictObject({ kind: z.literal("memory") }),
]);

export type StoreConfig = z.infer<typeof storeConfigSchema>;
/** As written by people: defaults left out. */
export type StoreConfigInput = z.input<typeof storeConfigSchema>;

/** @throws StoreConfigInvalid naming each field that is wrong. */
export function parseStoreConfig(config: unknown): StoreConfig {
  const parsed = storeConfigSchema.safeParse(config);
  if (parsed.success) return parsed.data;
  throw new StoreConfigInvalid(
    `The store configuration cannot be used: ${z.prettifyError(parsed.error)}`,
    { config },
    parsed.error,
  );
}

const URL_FIELDS = new Set(["peers", "listen", "swarmKey", "allowPeers"]);

/**
 * A store in one word, for the command line:
 *
 *     http://127.0.0.1:8080                                             a gateway
 *     helia:?peers=/ip4/192.0.2.7/tcp/4001/p2p/12D3Koo…                 a node in memory; peers separated by commas
 *     helia:/var/lib/foedus/store?peers=…&swarmKey=/etc/foedus/swarm.key&listen=/ip4/0.0.0.0/tcp/4001
 *     memory:
 *
 * A Helia store given so listens nowhere unless it says so: whoever audits only reads.
 *
 * @throws StoreConfigInvalid
 */
export function parseStoreUrl(text: string): StoreConfig {
  if (/^https?:\/\//i.test(text)) return parseStoreConfig({ kind: "gateway", url: text });
  if (text === "memory:" || text === "memory") return parseStoreConfig({ kind: "memory" });
  const match = /^helia:([^?]*)(?:\?(.*))?$/.exec(text);
  if (match === null) {
    throw new StoreConfigInvalid(
      `"${text}" is not a store; write http://host:port for a gateway, or helia:[folder]?peers=/ip4/…/tcp/…/p2p/….`,
      { text },
    );
  }
  const fields = new URLSearchParams(match[2] ?? "");
  for (const name of fields.keys()) {
    if (!URL_FIELDS.has(name)) {
      throw new StoreConfigInvalid(`"${name}" in ${text} is unknown; known are ${[...URL_FIELDS].join(", ")}.`, {
        text,
        name,
      });
    }
  }
  const list = (name: string): string[] =>
    fields
      .getAll(name)
      .flatMap((value) => value.split(","))
      .filter((part) => part !== "");
  return parseStoreConfig({
    kind: "helia",
    ...(match[1] === "" ? {} : { folder: match[1] }),
    listen: list("listen"),
    peers: list("peers"),
    ...(fields.has("swarmKey") ? { swarmKeyFile: fields.get("swarmKey") } : {}),
    ...(fields.has("allowPeers") ? { allowPeers: list("allowPeers") } : {}),
  });
}
