// SPDX-License-Identifier: Apache-2.0
import { Command } from "commander";
import type { Device } from "../protocol/wideKernels.ts";
import type { LogLevel } from "./logLevels.ts";
import { deviceOption, integerAtLeast, logOption, rpcOption } from "./options.ts";

interface Options {
  readonly config: string;
  readonly rpc?: string;
  readonly log?: LogLevel;
  readonly keepServing?: boolean;
  readonly device?: Device;
  readonly threads?: number;
}

/** `foedus validator start` */
export function validatorCommand(): Command {
  const start = new Command("start")
    .description("verify, aggregate, score, attest and finalise a run's rounds until the run is settled")
    .requiredOption("--config <file>", "the validator's YAML file (docs/running-a-consortium.md)")
    .addOption(rpcOption())
    .addOption(logOption())
    .addOption(deviceOption())
    .option("--threads <number>", "processor threads that aggregate (default: all)", integerAtLeast(1))
    .option("--keep-serving", "when the run is settled, go on serving its objects until stopped")
    .addHelpText(
      "after",
      "\nExamples:\n  $ foedus validator start --config validator.yaml\n  $ foedus validator start --config validator.yaml --log debug\n  $ foedus validator start --config validator.yaml --device gpu\n\nIt can be stopped or killed at any time and started again. After the run, --keep-serving or `foedus store serve` keeps its\nartifacts and checkpoints available to auditors.",
    )
    .action(async (options: Options) => startValidator(options));
  return new Command("validator").description("run a validator").addCommand(start);
}

async function startValidator({ config: file, keepServing, device, threads, ...overrides }: Options): Promise<void> {
  const [{ readValidatorConfig }, { createLog }, { stopSignals, untilStopped }] = await Promise.all([
    import("../validator/options.ts"),
    import("./log.ts"),
    import("./stopSignals.ts"),
  ]);
  const written = await readValidatorConfig(file);
  const config = {
    ...written,
    ...overrides,
    aggregation: {
      device: device ?? written.aggregation.device,
      threads: threads ?? written.aggregation.threads,
    },
  };
  const log = createLog(config.log);
  using stop = stopSignals((signal) => log.info({ signal }, "stopping; the same signal again ends at once"));
  await untilStopped(stop, async () => {
    const [{ openValidator }, { runValidator }, { StatusBoard }, { validatorPages }] = await Promise.all([
      import("../validator/openValidator.ts"),
      import("../validator/runValidator.ts"),
      import("../process/statusBoard.ts"),
      import("../validator/http/validatorPages.ts"),
    ]);
    const board = new StatusBoard("validator");
    const logger = board.observe(log);
    await using resources = new AsyncDisposableStack();
    const gateway = validatorPages();
    if (config.http !== undefined) {
      const { serveStatus } = await import("../process/http/serveStatus.ts");
      const pages = await serveStatus(board, config.http, gateway.handler);
      resources.defer(() => pages.close());
      logger.info({ url: `${pages.url}/status` }, "status pages");
    }
    const validator = await openValidator(config, { logger, signal: stop.signal });
    resources.defer(() => validator.close());
    const { measuredValidator, validatorStatus } = await import("../validator/http/validatorStatus.ts");
    board.attach(validatorStatus(validator.context, validator.validatorId, board));
    gateway.open(validator.store);
    await runValidator(measuredValidator(validator.context, board));
    const run = config.run.toString();
    if (keepServing === true) {
      logger.info({ run }, "the run is settled; serving its objects until stopped");
      await new Promise((resolve) => stop.signal.addEventListener("abort", resolve, { once: true }));
    } else {
      logger.info({ run }, "the run is settled; `foedus store serve` keeps its objects available to auditors");
    }
  });
}
