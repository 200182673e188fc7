// SPDX-License-Identifier: Apache-2.0
import type { z } from "zod";
import type { ModelConfig } from "../../protocol/recipe/modelConfig.ts";
import { LearningError } from "../errors.ts";
import { featureWidth, parameterLayout } from "../layout.ts";
import type { LearningEngine, Model } from "../model.ts";
import { ChildChannel } from "./process/childChannel.ts";
import { type loadReply, PROTOCOL_VERSION } from "./process/messages.ts";
import { ProcessModel } from "./process/processModel.ts";

export interface ProcessEngineOptions {
  /** Program and arguments; no shell is involved. */
  readonly command: readonly string[];
  /** Where the program starts; default: where Foedus did. */
  readonly cwd?: string | undefined;
  /** Names of variables the child must not see besides all `FOEDUS_…`: where passphrases are. */
  readonly hiddenEnvironment?: readonly string[];
  /** Told to the process, and to the BLAS it may use; default 1. */
  readonly threads?: number;
  /** Told to the process, which knows what it means, e.g. "cpu" or "cuda". */
  readonly device?: string;
  /** Time for one answer, ms; default ten minutes. */
  readonly timeoutMs?: number;
  /** Time until the process has started and said hello, ms; default one minute. */
  readonly startTimeoutMs?: number;
}

/** Variables by which the usual BLAS and OpenMP builds are told their threads, which they read when they are loaded. */
const THREAD_VARIABLES = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"];

/**
 * A member's own program as engine, in any language: a child process that answers messages on its standard input and output
 * (docs/engines.md; `python/` wraps NumPy and PyTorch models). It sees the member's data, and neither keys nor passphrases.
 *
 * @throws LearningError ENGINE_UNAVAILABLE when the process does not start or does not say hello; ENGINE_FAILED from its models when it ends,
 *   hangs or answers wrongly later.
 */
export async function createProcessEngine(options: ProcessEngineOptions): Promise<LearningEngine> {
  const { command, cwd, threads = 1, device = "cpu", timeoutMs = 600_000, startTimeoutMs = 60_000 } = options;
  if (command.length === 0 || command[0] === "")
    throw new LearningError(
      "ENGINE_UNAVAILABLE",
      "The process engine has no command; write e.g. command: [python3, member.py].",
    );
  const env = childEnvironment(threads, options.hiddenEnvironment ?? []);
  const channel = new ChildChannel({ command, cwd, env });
  const name = await sayHello(channel, { threads, device, timeoutMs: startTimeoutMs });
  let models = 0;
  const open = async (config: ModelConfig): Promise<Model> => {
    const number = models++;
    // Loading may import a library and move tensors to a GPU, which is a start too.
    const loaded = await load(channel, config, number, Math.max(timeoutMs, startTimeoutMs));
    return new ProcessModel(config, channel, { model: number, timeoutMs, fusedStep: loaded.step, variant: open });
  };
  return {
    name: `process: ${name}`,
    load: open,
    dispose: () => channel.close(),
  };
}

async function sayHello(
  channel: ChildChannel,
  { threads, device, timeoutMs }: { threads: number; device: string; timeoutMs: number },
): Promise<string> {
  try {
    const header = { type: "hello", protocol: PROTOCOL_VERSION, threads, device };
    const reply = (await channel.ask({ header, mostValues: 0, timeoutMs })).header;
    if (reply.type !== "hello") throw await channel.condemn(`it answered "hello" with "${reply.type}"`);
    return reply.name;
  } catch (cause) {
    await channel.close();
    const { message, values } = cause as LearningError;
    throw new LearningError(
      "ENGINE_UNAVAILABLE",
      `${message}\nRun the command by hand to see what it lacks, or choose another engine in the node's configuration.`,
      values,
      cause,
    );
  }
}

async function load(
  channel: ChildChannel,
  config: ModelConfig,
  model: number,
  timeoutMs: number,
): Promise<z.output<typeof loadReply>> {
  const layout = parameterLayout(config).map(({ name, shape }) => ({ name, shape }));
  const header = { type: "load", model, config, layout };
  const reply = (await channel.ask({ header, mostValues: 0, timeoutMs })).header;
  if (reply.type !== "loaded") throw await channel.condemn(`it answered "load" with "${reply.type}"`);
  const [wanted, found] = [layout, reply.layout].map((tensors) =>
    tensors.map(({ name, shape }) => `${name}[${shape.join(", ")}]`).join(", "),
  );
  if (wanted !== found) {
    throw new LearningError(
      "UNSUPPORTED",
      `The process's model has other tensors than the recipe's: ${found} instead of ${wanted}. Names, shapes and order must agree (python/README.md shows how to rename).`,
      { wanted, found },
    );
  }
  const features = featureWidth(config);
  if (reply.features !== features) {
    throw new LearningError(
      "UNSUPPORTED",
      `The process's model has ${reply.features} features before its last layer; the recipe's has ${features}.`,
      { wanted: features, found: reply.features },
    );
  }
  return reply;
}

/** The environment of this process without what is Foedus's own. */
function childEnvironment(threads: number, hidden: readonly string[]): NodeJS.ProcessEnv {
  const visible = Object.entries(process.env).filter(([name]) => !name.startsWith("FOEDUS_") && !hidden.includes(name));
  return {
    ...Object.fromEntries(visible),
    ...Object.fromEntries(THREAD_VARIABLES.map((name) => [name, String(threads)])),
  };
}
