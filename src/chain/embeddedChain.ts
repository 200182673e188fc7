// SPDX-License-Identifier: Apache-2.0
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { FoedusError } from "../protocol/errors.ts";
import { type DevelopmentAccount, developmentAccounts } from "./developmentAccounts.ts";
import type { EmbeddedChainMessage, EmbeddedChainSettings } from "./embeddedChainProcess.ts";

export interface EmbeddedChainOptions {
  /** Loopback port; 0 lets the system choose a free one. */
  readonly port?: number;
  /** Milliseconds between blocks. Blocks come whether or not there are transactions, since deadlines are blocks. */
  readonly blockMs?: number;
  /** Number of funded development accounts. */
  readonly accounts?: number;
  readonly chainId?: number;
}

export interface EmbeddedChain {
  readonly rpcUrl: string;
  readonly chainId: bigint;
  readonly accounts: readonly DevelopmentAccount[];
  /** Id of the process that runs the chain. */
  readonly pid: number;
  /** Ends the chain and everything on it; safe to call twice. */
  stop(): Promise<void>;
}

const PROCESS = fileURLToPath(new URL("./embeddedChainProcess.ts", import.meta.url));
const START_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 2_000;

/**
 * Starts a Hardhat network in a process of its own, so that executing blocks uses another core than the caller. Nothing is compiled and no
 * artifacts are read. The chain lives in memory and dies with this process, however this process ends: the child watches the channel to its
 * parent, which the system closes even after SIGKILL.
 */
export async function startEmbeddedChain(options: EmbeddedChainOptions = {}): Promise<EmbeddedChain> {
  const accounts = developmentAccounts(options.accounts ?? 20);
  const chainId = options.chainId ?? 31337;
  const settings: EmbeddedChainSettings = {
    port: options.port ?? 0,
    blockMs: options.blockMs ?? 200,
    chainId,
    privateKeys: accounts.map((account) => account.privateKey),
  };
  // The parent's own flags (--test, --inspect, loaders) are not for the chain.
  const { NODE_OPTIONS: _, NODE_TEST_CONTEXT: __, ...env } = process.env;
  const child = fork(PROCESS, [], { execArgv: [], env, stdio: ["ignore", "ignore", "pipe", "ipc"] });
  const killOnExit = () => child.kill("SIGKILL");
  process.once("exit", killOnExit);
  try {
    child.send(settings);
    const port = await listeningPort(child);
    // From here on a forgotten stop() does not keep the caller's process alive.
    child.unref();
    child.channel?.unref();
    (child.stderr as { unref?: () => void } | null)?.unref?.();
    return {
      rpcUrl: `http://127.0.0.1:${port}`,
      chainId: BigInt(chainId),
      accounts,
      pid: child.pid as number,
      stop: async () => {
        process.off("exit", killOnExit);
        await end(child);
      },
    };
  } catch (error) {
    process.off("exit", killOnExit);
    await end(child);
    throw error;
  }
}

/** Waits for the child's word that it listens; a failure carries what the child printed. */
async function listeningPort(child: ChildProcess): Promise<number> {
  let printed = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    printed = (printed + text).slice(-4000);
  });
  return await new Promise((resolve, reject) => {
    const fail = (reason: string) =>
      reject(
        new FoedusError(
          "EMBEDDED_CHAIN",
          `The embedded chain did not start: ${reason}${printed === "" ? "" : `\n${printed}`}`,
        ),
      );
    const timer = setTimeout(() => fail(`no answer within ${START_LIMIT_MS / 1000} s.`), START_LIMIT_MS);
    child.once("message", (message: EmbeddedChainMessage) => {
      clearTimeout(timer);
      if ("port" in message) resolve(message.port);
      else fail(message.error);
    });
    child.once("error", (error) => {
      clearTimeout(timer);
      fail(error.message);
    });
    child.once("exit", (code, signal) => {
      clearTimeout(timer);
      fail(`its process ended with ${signal ?? `code ${code}`}.`);
    });
  });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  child.ref();
  const exited = once(child, "exit");
  if (child.connected) child.disconnect();
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_LIMIT_MS);
  await exited;
  clearTimeout(timer);
}
