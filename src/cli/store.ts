// SPDX-License-Identifier: Apache-2.0
import { once } from "node:events";
import { createServer } from "node:http";
import { Command, Option } from "commander";
import type { StoreConfig } from "../storage/storeConfig.ts";
import type { LogLevel } from "./logLevels.ts";
import { integerAtLeast, logOption } from "./options.ts";
import { printLine } from "./print.ts";

interface Place {
  readonly config?: string;
  readonly store?: string;
}

interface ServeOptions extends Place {
  readonly httpPort?: number;
  readonly httpHost: string;
  readonly log?: LogLevel;
}

const configOption = (): Option =>
  new Option("--config <file>", "YAML file of a node or validator, whose store it is").conflicts("store");
const storeOption = (): Option =>
  new Option(
    "--store <store>",
    "the store in one word, e.g. 'helia:store?listen=/ip4/0.0.0.0/tcp/4001&swarmKey=swarm.key'",
  );

/** `foedus store serve`, `foedus store address` */
export function storeCommand(): Command {
  const serve = new Command("serve")
    .description("serve the objects of a store to peers, and to auditors over HTTP, until stopped")
    .addOption(configOption())
    .addOption(storeOption())
    .option("--http-port <port>", "also serve them at http://host:port/ipfs/{cid}", integerAtLeast(0))
    .option("--http-host <address>", "address for HTTP", "127.0.0.1")
    .addOption(logOption())
    .addHelpText(
      "after",
      "\nExamples:\n  $ foedus store serve --config validator.yaml --http-port 8080\n  $ foedus store serve --store 'helia:store?listen=/ip4/0.0.0.0/tcp/4001'\n\nFor the time after a run, when auditors still read it, and for whoever published a run with `foedus run prepare`.",
    )
    .action(async (options: ServeOptions) => serveStore(options));
  const address = new Command("address")
    .description("print where peers reach a store: what they write into `peers`")
    .addOption(configOption())
    .addOption(storeOption())
    .addHelpText("after", "\nExample:\n  $ foedus store address --config validator.yaml")
    .action(async (options: Place) => {
      const { openStore } = await import("../storage/openStore.ts");
      const store = await openStore(await configOf(options));
      try {
        for (const line of (store as { addresses?: () => string[] }).addresses?.() ?? []) printLine(line);
      } finally {
        await store.close();
      }
    });
  return new Command("store").description("serve a store's objects").addCommand(serve).addCommand(address);
}

async function serveStore(options: ServeOptions): Promise<void> {
  const [{ createLog }, { stopSignals, untilStopped }, { openStore }, { gatewayHandler }, { ConfigError }] =
    await Promise.all([
      import("./log.ts"),
      import("./stopSignals.ts"),
      import("../storage/openStore.ts"),
      import("../storage/gatewayHandler.ts"),
      import("../protocol/errors.ts"),
    ]);
  const logger = createLog(options.log ?? "info");
  using stop = stopSignals((signal) => logger.info({ signal }, "stopping; the same signal again ends at once"));
  await untilStopped(stop, async () => {
    await using resources = new AsyncDisposableStack();
    const store = resources.adopt(
      await openStore(await configOf(options), {
        onProblem: ({ severity, message, values }) => logger[severity]({ ...values }, message),
      }),
      (opened) => opened.close(),
    );
    logger.info({ addresses: (store as { addresses?: () => string[] }).addresses?.() ?? [] }, "serving");
    if (options.httpPort !== undefined) {
      const server = createServer(gatewayHandler(store)).listen(options.httpPort, options.httpHost);
      await once(server, "listening").catch((cause: unknown) => {
        throw new ConfigError(
          `${options.httpHost}:${options.httpPort} cannot be listened on (${(cause as Error).message}). Choose another --http-port.`,
          {},
          cause,
        );
      });
      resources.defer(() => {
        server.close();
        server.closeAllConnections();
      });
      logger.info(
        { url: `http://${options.httpHost}:${(server.address() as { port: number }).port}/ipfs/` },
        "serving over HTTP",
      );
    }
    const stopped = once(stop.signal, "abort");
    // Without peers or HTTP nothing else would hold the process.
    const hold = setInterval(() => {}, 2 ** 30);
    await stopped.finally(() => clearInterval(hold));
  });
}

async function configOf({ config, store }: Place): Promise<StoreConfig> {
  const { ConfigError } = await import("../protocol/errors.ts");
  if (store !== undefined) return (await import("../storage/storeConfig.ts")).parseStoreUrl(store);
  if (config === undefined) throw new ConfigError("Say which store: --config FILE of a node or validator, or --store.");
  const { readYaml } = await import("../process/readYaml.ts");
  const value = await readYaml(config, "name the YAML file of a node or validator");
  // A node's file has its data, a validator's has not.
  const isNode = typeof value === "object" && value !== null && "data" in value;
  return isNode
    ? (await import("../node/options.ts")).parseNodeConfig(value, config).store
    : (await import("../validator/options.ts")).parseValidatorConfig(value, config).store;
}
