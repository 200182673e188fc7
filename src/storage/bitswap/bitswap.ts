// SPDX-License-Identifier: Apache-2.0
import type {
  Connection,
  PeerId,
  Startable,
  Stream,
  StreamHandler,
  StreamHandlerOptions,
  Topology,
} from "@libp2p/interface";
import type { BlockBroker, SessionBlockBroker } from "helia";
import type { CID } from "multiformats/cid";
import type { BlockKey } from "../contentId.ts";
import type { ServedBlocks } from "../heldObjects.ts";
import { frame, readFrames } from "./frames.ts";
import { type BitswapMessage, decodeMessage, encodeMessage } from "./message.ts";
import { PeerLink } from "./peerLink.ts";
import { type PeerName, WantList } from "./wantList.ts";

const PROTOCOL = "/ipfs/bitswap/1.2.0";
/** A message must be through after this time, in each direction. */
const MESSAGE_TIMEOUT_MS = 30_000;

/** Where to report what goes wrong with a peer; nothing of it is our error. */
export type ReportPeerProblem = (peer: PeerName, what: string, cause: unknown) => void;

/** What a libp2p service is given, as far as this one needs it. */
export interface Libp2pComponents {
  readonly registrar: {
    handle(protocol: string, handler: StreamHandler, options?: StreamHandlerOptions): Promise<void>;
    unhandle(protocol: string): Promise<void>;
    register(protocol: string, topology: Topology): Promise<string>;
    unregister(id: string): void;
  };
  readonly connectionManager: { getConnections(peer: PeerId): Connection[] };
}

/**
 * Bitswap 1.2 as a libp2p service and block broker of Helia, speaking with Kubo, boxo and `@helia/bitswap`.
 *
 * Not `@helia/bitswap` itself (4.0.19), for three reasons given in `docs/decisions/0009-own-bitswap-broker.md`: it never
 * tells peers that a want is over, it does not send a block a second time, and it loses wants that come up while a
 * connection is being greeted or another caller gives up.
 *
 * It sees served blocks only, by construction: it is given no other view of the store.
 */
export class Bitswap implements Startable {
  readonly #libp2p: Libp2pComponents;
  readonly #served: ServedBlocks;
  readonly #report: ReportPeerProblem;
  readonly #wants = new WantList();
  readonly #links = new Map<PeerName, PeerLink>();
  #registration: string | undefined;

  constructor(libp2p: Libp2pComponents, served: ServedBlocks, report: ReportPeerProblem) {
    this.#libp2p = libp2p;
    this.#served = served;
    this.#report = report;
  }

  /**
   * As a service it starts before the node listens, so no peer can be told, while we are half awake, that we do not
   * speak bitswap.
   */
  async start(): Promise<void> {
    const topology: Topology = {
      onConnect: (peerId) => {
        this.#connected(peerId);
      },
      onDisconnect: (peerId) => this.#disconnected(peerId),
    };
    await this.#libp2p.registrar.handle(PROTOCOL, (stream, connection) => this.#receive(stream, connection), {
      maxInboundStreams: 256,
      maxOutboundStreams: 256,
    });
    this.#registration = await this.#libp2p.registrar.register(PROTOCOL, topology);
  }

  async stop(): Promise<void> {
    if (this.#registration !== undefined) this.#libp2p.registrar.unregister(this.#registration);
    await this.#libp2p.registrar.unhandle(PROTOCOL);
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
  }

  /** Sends newly served blocks to the peers that wait for them. */
  announce(keys: readonly BlockKey[]): void {
    for (const link of this.#links.values()) link.blocksServed(keys);
  }

  get peers(): number {
    return this.#wants.peers;
  }

  /** What Helia asks for blocks. Its `announce` is left out: only `serve` announces. */
  broker(): BlockBroker {
    return {
      name: "bitswap",
      retrieve: async (cid, options = {}) =>
        (await this.#wants.fetch(cid, options.signal ?? new AbortController().signal)).bytes,
      createSession: () => this.#session(),
    };
  }

  /** Asks the peer that sent the last block first: it most likely has the next one of the same object. */
  #session(): SessionBlockBroker {
    let last: PeerName | undefined;
    return {
      name: "bitswap-session",
      retrieve: async (cid: CID, options = {}) => {
        const block = await this.#wants.fetch(cid, options.signal ?? new AbortController().signal, last);
        last = block.from;
        return block.bytes;
      },
      async addPeer() {
        // Peers are those of the consortium, and they are connected anyway.
      },
    };
  }

  /**
   * On each connection, also a second one of the same peer: it may be a restarted peer whose old connection we have not
   * yet seen die, and which has forgotten what we want.
   */
  #connected(peerId: PeerId): PeerLink {
    const peer = peerId.toString();
    let link = this.#links.get(peer);
    if (link === undefined) {
      link = new PeerLink(this.#served, (message) => this.#send(peerId, message));
      this.#links.set(peer, link);
    }
    this.#wants.peerConnected(peer, link);
    return link;
  }

  #disconnected(peerId: PeerId): void {
    // Told late, it can come after the peer is back.
    if (this.#openConnection(peerId) !== undefined) return;
    const peer = peerId.toString();
    this.#links.get(peer)?.close();
    this.#links.delete(peer);
    this.#wants.peerDisconnected(peer);
  }

  #openConnection(peerId: PeerId): Connection | undefined {
    return this.#libp2p.connectionManager.getConnections(peerId).find(({ status }) => status === "open");
  }

  /** One stream per message, as peers expect. Only on a connection that exists: whom we dial is decided elsewhere. */
  async #send(peerId: PeerId, message: BitswapMessage): Promise<void> {
    const connection = this.#openConnection(peerId);
    if (connection === undefined) throw new Error(`The connection to ${peerId.toString()} is closed.`);
    const signal = AbortSignal.timeout(MESSAGE_TIMEOUT_MS);
    let stream: Stream | undefined;
    try {
      stream = await connection.newStream(PROTOCOL, { signal });
      await stream.closeRead({ signal });
      if (!stream.send(frame(encodeMessage(message)))) await stream.onDrain({ signal });
      await stream.close({ signal });
    } catch (cause) {
      this.#report(peerId.toString(), "a message could not be sent", cause);
      stream?.abort(asError(cause));
      throw cause;
    }
  }

  /** Never rejects. */
  async #receive(stream: Stream, connection: Connection): Promise<void> {
    const peer = connection.remotePeer.toString();
    const signal = AbortSignal.timeout(MESSAGE_TIMEOUT_MS);
    const onTimeout = (): void => stream.abort(new Error(`No complete message within ${MESSAGE_TIMEOUT_MS} ms.`));
    signal.addEventListener("abort", onTimeout, { once: true });
    try {
      for await (const bytes of readFrames(stream)) this.#receiveMessage(connection.remotePeer, decodeMessage(bytes));
      await stream.close({ signal });
    } catch (cause) {
      this.#report(peer, "what it sent could not be read", cause);
      stream.abort(asError(cause));
    } finally {
      signal.removeEventListener("abort", onTimeout);
    }
  }

  #receiveMessage(peerId: PeerId, message: BitswapMessage): void {
    const peer = peerId.toString();
    // A peer may speak before identification has told us that it speaks bitswap.
    const link = this.#links.get(peer) ?? this.#connected(peerId);
    this.#wants.receiveBlocks(peer, message.blocks);
    this.#wants.receivePresences(peer, message.presences);
    link.receiveWants(message);
  }
}

function asError(cause: unknown): Error {
  return cause instanceof Error ? cause : new Error(String(cause));
}
