// SPDX-License-Identifier: Apache-2.0
import { randomInt } from "node:crypto";
import { createServer, type Server } from "node:net";

/**
 * Below the ports that Linux (from 32 768) and macOS (from 49 152) give to outgoing connections, of which a federation makes thousands: one of
 * them would sooner or later take a port between its choice and its use.
 */
const FIRST = 20_000;
const END = 32_768;
const ATTEMPTS = 1_000;

/** Loopback ports that were free a moment ago; held together so that they differ. */
export async function freePorts(count: number): Promise<number[]> {
  const held = new Map<number, Server>();
  try {
    for (let attempt = 0; held.size < count; attempt++) {
      if (attempt === ATTEMPTS)
        throw new Error(
          `Found only ${held.size} of ${count} free loopback ports from ${FIRST} to ${END - 1}; end what listens there.`,
        );
      const port = randomInt(FIRST, END);
      const server = await listen(port);
      if (server !== undefined) held.set(port, server);
    }
    return [...held.keys()];
  } finally {
    await Promise.all([...held.values()].map((server) => new Promise((resolve) => server.close(resolve))));
  }
}

/** A server on the port; undefined when the port is taken. */
async function listen(port: number): Promise<Server | undefined> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", () => resolve(undefined)).listen(port, "127.0.0.1", () => resolve(server));
  });
}
