// SPDX-License-Identifier: Apache-2.0
import { Command } from "commander";
import type { LogLevel } from "./logLevels.ts";
import { nodePrivacyCommand } from "./nodePrivacy.ts";
import { logOption, rpcOption } from "./options.ts";

interface Options {
  readonly config: string;
  readonly rpc?: string;
  readonly log?: LogLevel;
  readonly device?: string;
}

/** `foedus node start` */
export function nodeCommand(): Command {
  const start = new Command("start")
    .description(
      "take part in a run as a member, training on the member's own data, until the run has ended and its reward is claimed",
    )
    .requiredOption("--config <file>", "the node's YAML file (docs/running-a-consortium.md)")
    .addOption(rpcOption())
    .addOption(logOption())
    .option("--device <device>", "what the engine computes on: cpu, cuda, webgpu or auto, as far as the engine has it")
    .addHelpText(
      "after",
      "\nExamples:\n  $ foedus node start --config node.yaml\n  $ foedus node start --config node.yaml --log debug\n\nIt can be stopped or killed at any time and started again: nothing that was committed is lost.",
    )
    .action(async (options: Options) => startNode(options));
  return new Command("node")
    .description("run a member's node, or look at what it has revealed")
    .addCommand(start)
    .addCommand(nodePrivacyCommand());
}

async function startNode({ config: file, device, ...overrides }: Options): Promise<void> {
  const [{ readNodeConfig, withDevice }, { createLog }, { stopSignals, untilStopped }] = await Promise.all([
    import("../node/options.ts"),
    import("./log.ts"),
    import("./stopSignals.ts"),
  ]);
  const written = { ...(await readNodeConfig(file)), ...overrides };
  const config = device === undefined ? written : withDevice(written, device);
  const log = createLog(config.log);
  using stop = stopSignals((signal) => log.info({ signal }, "stopping; the same signal again ends at once"));
  await untilStopped(stop, async () => {
    const [{ openNode }, { runNode }, { StatusBoard }] = await Promise.all([
      import("../node/openNode.ts"),
      import("../node/runNode.ts"),
      import("../process/statusBoard.ts"),
    ]);
    const board = new StatusBoard("node");
    const logger = board.observe(log);
    await using resources = new AsyncDisposableStack();
    if (config.http !== undefined) {
      const { serveStatus } = await import("../process/http/serveStatus.ts");
      const pages = await serveStatus(board, config.http);
      resources.defer(() => pages.close());
      logger.info({ url: `${pages.url}/status` }, "status pages");
    }
    const node = await openNode(config, { logger, signal: stop.signal });
    resources.defer(() => node.close());
    const { measuredNode, nodeStatus } = await import("../node/http/nodeStatus.ts");
    board.attach(nodeStatus(node.context, node.samples, board));
    await runNode(measuredNode(node.context, board));
    logger.info({ run: config.run.toString() }, "the run is over");
  });
}
