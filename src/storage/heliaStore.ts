// SPDX-License-Identifier: Apache-2.0
import { noise } from "@chainsafe/libp2p-noise";
import { yamux } from "@chainsafe/libp2p-yamux";
import { withLibp2pLight } from "@helia/libp2p";
import { identify } from "@libp2p/identify";
import type { ConnectionGater, Libp2p, ServiceMap } from "@libp2p/interface";
import { preSharedKey } from "@libp2p/pnet";
import { tcp } from "@libp2p/tcp";
import { createHeliaLight } from "helia";
import type { CID } from "multiformats/cid";
import type { ContentStore } from "../protocol/contentStore.ts";
import { Bitswap, type Libp2pComponents } from "./bitswap/bitswap.ts";
import { StoreClosed, StoreConfigInvalid } from "./errors.ts";
import { FolderShelf } from "./folderShelf.ts";
import { HeldObjects } from "./heldObjects.ts";
import { MemoryShelf } from "./memoryShelf.ts";
import { PeerDialer, parseAddress } from "./peerDialer.ts";
import { identityOf, temporaryIdentity } from "./peerIdentity.ts";
import { type BlockExchange, PeerStore } from "./peerStore.ts";
import { ServedBlockstore } from "./servedBlockstore.ts";
import { readSwarmKey } from "./swarmKey.ts";

export interface HeliaStoreOptions {
  /** Where objects and the network identity last over restarts. Left out: memory, and a new identity each time. */
  readonly folder?: string | undefined;
  /** Multiaddrs to listen on. Default: one free TCP port on loopback. None: only dials. */
  readonly listen?: readonly string[] | undefined;
  /** Multiaddrs of the peers to stay connected to; end each with /p2p/… so that nobody else can answer in its place. */
  readonly peers?: readonly string[] | undefined;
  /** File with the swarm's pre-shared key. Left out: anybody who can reach the port can connect. */
  readonly swarmKeyFile?: string | undefined;
  /** Ids of the only peers to speak with, in either direction. Left out: whoever passes the swarm key. */
  readonly allowPeers?: readonly string[] | undefined;
  /** Told of what goes wrong with peers and of damage in the folder; nothing of it stops the store. */
  readonly onProblem?: ((problem: StoreProblem) => void) | undefined;
}

/** Something an operator may want to see in the log. */
export interface StoreProblem {
  readonly severity: "warn" | "debug";
  readonly message: string;
  readonly values: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** A content store that is a node of a private IPFS network. */
export interface HeliaStore extends ContentStore {
  /** Network identity; what others write into `peers` and `allowPeers`. */
  readonly peerId: string;
  /** Where others can reach this node: its multiaddrs, ending with its id. */
  addresses(): string[];
  /** Ids of the peers connected now. */
  connectedPeers(): string[];
  /** Stays connected to a peer from now on. @throws StoreConfigInvalid when it is not a multiaddr. */
  addPeer(address: string): void;
}

const LOOPBACK = "/ip4/127.0.0.1/tcp/0";

/**
 * Starts a node: TCP, noise, yamux, identify; no DHT, no bootstrap list, no discovery, no relay. It dials the
 * configured peers and nobody else.
 *
 * @throws StoreConfigInvalid when an address, the key or the folder cannot be used.
 */
export async function openHeliaStore(options: HeliaStoreOptions = {}): Promise<HeliaStore> {
  const report = options.onProblem ?? (() => {});
  const listen = (options.listen ?? [LOOPBACK]).map(parseAddress);
  const peers = (options.peers ?? []).map(parseAddress);
  const swarmKey = options.swarmKeyFile === undefined ? undefined : await readSwarmKey(options.swarmKeyFile);
  const shelf = options.folder === undefined ? new MemoryShelf() : await FolderShelf.open(options.folder);
  const held = await HeldObjects.open(shelf, (cid, record) =>
    report({
      severity: "warn",
      message: `${cid} is no longer complete in the store folder and was given up; get it again from a peer.`,
      values: { cid, ...record },
    }),
  );
  const helia = withLibp2pLight(createHeliaLight({ blockstore: new ServedBlockstore(held.servedBlocks) }), {
    privateKey: options.folder === undefined ? await temporaryIdentity() : await identityOf(options.folder),
    addresses: { listen: listen.map(String) },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    ...(swarmKey === undefined ? {} : { connectionProtector: preSharedKey({ psk: swarmKey }) }),
    ...(options.allowPeers === undefined ? {} : { connectionGater: onlyPeers(options.allowPeers) }),
    connectionManager: {
      // The defaults expect strangers: five connections a second from one host, which is what a consortium's nodes on
      // one machine, or behind one address, exceed when they start together.
      inboundConnectionThreshold: 1_000,
      maxIncomingPendingConnections: 1_000,
      // `PeerDialer` does this, for the configured peers only.
      reconnectRetries: 0,
    },
    // Pings find connections that died silently. Patient ones: training and proving can hold this process's event loop,
    // or the peer's, for seconds.
    connectionMonitor: { pingInterval: 15_000, pingTimeout: { minTimeout: 15_000 } },
    services: {
      identify: identify(),
      bitswap: (components: Libp2pComponents) =>
        new Bitswap(components, held.servedBlocks, (peer, what, cause) =>
          report({ severity: "debug", message: `Peer ${peer}: ${what}.`, values: { peer }, cause }),
        ),
    },
  });
  helia.addMixin<typeof helia>({
    name: "bitswap",
    start: (node) => node.addBlockBroker(node.libp2p.services.bitswap.broker()),
  });
  try {
    await helia.start();
  } catch (cause) {
    await helia.stop().catch(() => {});
    throw new StoreConfigInvalid(
      `The store cannot listen on ${listen.map(String).join(", ")}; another process may have the port.`,
      { listen: listen.map(String) },
      cause,
    );
  }
  const dialer = new PeerDialer(helia.libp2p as Libp2p<ServiceMap> as Libp2p, (address, cause) =>
    report({
      severity: "debug",
      message: `Peer ${address} cannot be reached; it is tried again.`,
      values: { address },
      cause,
    }),
  );
  for (const peer of peers) dialer.keep(peer);
  const { libp2p } = helia;
  const exchange: BlockExchange = {
    session(root: CID, signal: AbortSignal) {
      const session = helia.blockstore.createSession(root, { signal });
      return {
        async fetch(cid) {
          for await (const block of session.get(cid, { signal })) return block;
          throw new Error(`Helia gave no bytes for block ${cid}.`);
        },
        close: () => session.close(),
      };
    },
    announce: (keys) => libp2p.services.bitswap.announce(keys),
    describePeers: () => `${libp2p.services.bitswap.peers} connected peers (${peers.length} configured)`,
    async close() {
      await dialer.stop();
      // Left to libp2p, a connection whose other end is closing too holds the node up for half a second.
      for (const connection of libp2p.getConnections()) connection.abort(new StoreClosed());
      await helia.stop();
    },
  };
  return Object.assign(new PeerStore(held, exchange), {
    peerId: libp2p.peerId.toString(),
    addresses: () => libp2p.getMultiaddrs().map(String),
    connectedPeers: () => libp2p.getPeers().map(String),
    addPeer: (address: string) => dialer.keep(parseAddress(address)),
  });
}

/** Refuses everybody else as soon as the handshake has shown who it is. */
function onlyPeers(ids: readonly string[]): ConnectionGater {
  const allowed = new Set(ids);
  const denied = (peer: { toString(): string }): boolean => !allowed.has(peer.toString());
  return {
    denyDialPeer: denied,
    denyInboundEncryptedConnection: denied,
    denyOutboundEncryptedConnection: denied,
  };
}
