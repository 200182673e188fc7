// SPDX-License-Identifier: Apache-2.0
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import type { TrainingStream } from "../node/localTraining.ts";
import type { NodeContext } from "../node/nodeContext.ts";
import { openNode } from "../node/openNode.ts";
import { parseNodeConfig } from "../node/options.ts";
import { runNode } from "../node/runNode.ts";
import type { Logger } from "../protocol/logger.ts";
import { openStore } from "../storage/openStore.ts";
import { openValidator } from "../validator/openValidator.ts";
import { parseValidatorConfig } from "../validator/options.ts";
import { runValidator } from "../validator/runValidator.ts";
import { dishonestMember, type MemberFault } from "./faults/memberFaults.ts";
import { dishonestValidator, type ValidatorFault } from "./faults/validatorFaults.ts";

/** A node or validator under somebody's control: it can be started, killed without warning, and started again on the same files. */
export interface Participant {
  readonly name: string;
  start(overrides?: ParticipantOverrides): void;
  /** As SIGKILL: nothing is said or saved. */
  kill(): Promise<void>;
  /** Resolves when it has done its part of the run; rejects when it failed. */
  readonly finished: Promise<void>;
}

export interface ParticipantOverrides {
  /** Another chain endpoint than the configuration names. */
  readonly rpcUrl?: string;
}

export interface ParticipantPlan {
  readonly name: string;
  readonly role: "node" | "validator";
  readonly configFile: string;
  readonly fault?: MemberFault | ValidatorFault;
  /** A validator that serves its objects after the run, until it is killed, so that an audit can read them. */
  readonly keepServing?: boolean;
}

/** What a simulation changes of a node in its own process. */
export interface NodeChanges {
  /** What training draws from, in place of the seed in the node's file. */
  readonly trainingStream?: TrainingStream;
  /** Replaces parts of the opened node. */
  readonly adapt?: (node: NodeContext) => NodeContext;
}

/** Opens and runs a participant in this process until its run is over. Also the body of a dishonest participant's own process. */
export async function runParticipant(
  plan: ParticipantPlan,
  overrides: ParticipantOverrides,
  logger: Logger,
  signal: AbortSignal,
  { trainingStream, adapt = (node) => node }: NodeChanges = {},
): Promise<void> {
  const rpc = overrides.rpcUrl === undefined ? {} : { rpc: overrides.rpcUrl };
  const written: unknown = parse(await readFile(plan.configFile, "utf8"));
  if (plan.role === "node") {
    const opened = await openNode(
      { ...parseNodeConfig(written, plan.configFile), ...rpc },
      { logger, signal, trainingStream },
    );
    const privateStores: { close(): Promise<void> }[] = [];
    try {
      const context = adapt(opened.context);
      const openPrivateStore = async (peers: readonly string[], swarmKeyFile?: string) => {
        const store = await openStore({
          kind: "helia",
          listen: [],
          peers: [...peers],
          ...(swarmKeyFile === undefined ? {} : { swarmKeyFile }),
        });
        privateStores.push(store);
        return store;
      };
      await untilAborted(
        runNode(
          plan.fault === undefined ? context : dishonestMember(context, plan.fault as MemberFault, openPrivateStore),
        ),
        signal,
      );
    } finally {
      await Promise.all(privateStores.map((store) => store.close()));
      await opened.close();
    }
    return;
  }
  const opened = await openValidator({ ...parseValidatorConfig(written, plan.configFile), ...rpc }, { logger, signal });
  try {
    await untilAborted(
      runValidator(
        plan.fault === undefined ? opened.context : dishonestValidator(opened.context, plan.fault as ValidatorFault),
      ),
      signal,
    );
    if (plan.keepServing === true) await untilAborted(new Promise(() => {}), signal);
  } finally {
    await opened.close();
  }
}

/** Gives up on work at once when the signal comes, wherever it stands: being killed is not being asked to stop. */
async function untilAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  work.catch(() => {});
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  try {
    await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** In this process: cheap to start, killed by abandoning it. */
export function inProcess(plan: ParticipantPlan, logger: Logger, changes: NodeChanges = {}): Participant {
  let abandon = new AbortController();
  let running: Promise<void> = Promise.resolve();
  const finished = Promise.withResolvers<void>();
  finished.promise.catch(() => {});
  return {
    name: plan.name,
    finished: finished.promise,
    start(overrides = {}) {
      abandon = new AbortController();
      const { signal } = abandon;
      running = runParticipant(plan, overrides, logger, signal, changes).then(
        () => finished.resolve(),
        (error: unknown) => {
          if (!signal.aborted) finished.reject(error instanceof Error ? error : new Error(String(error)));
        },
      );
    },
    async kill() {
      abandon.abort(new Error("killed"));
      await running;
    },
  };
}

/** What a participant's process logs, one JSON object a line. */
export type LogLine = Readonly<Record<string, unknown>>;

const CLI = fileURLToPath(new URL("../cli/main.ts", import.meta.url));
const DISHONEST = fileURLToPath(new URL("./dishonestProcess.ts", import.meta.url));

/** As a process of the operating system: `foedus node start`, `foedus validator start`; a dishonest one is the same parts, put together elsewhere. */
export function asProcess(plan: ParticipantPlan, onLog: (line: LogLine) => void): Participant {
  let child: ChildProcess | undefined;
  const finished = Promise.withResolvers<void>();
  finished.promise.catch(() => {});
  return {
    name: plan.name,
    finished: finished.promise,
    start(overrides = {}) {
      const override = overrides.rpcUrl === undefined ? [] : ["--rpc", overrides.rpcUrl];
      const args =
        plan.fault === undefined
          ? [
              CLI,
              plan.role,
              "start",
              "--config",
              plan.configFile,
              "--log",
              "info",
              ...override,
              ...(plan.keepServing === true ? ["--keep-serving"] : []),
            ]
          : [DISHONEST, JSON.stringify({ plan, overrides })];
      const started = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"] });
      child = started;
      // However the simulation ends, its participants end with it.
      const killOnExit = () => started.kill("SIGKILL");
      process.once("exit", killOnExit);
      started.once("exit", () => process.off("exit", killOnExit));
      let lastLines: string[] = [];
      createInterface({ input: started.stderr as NodeJS.ReadableStream }).on("line", (text) => {
        lastLines = [...lastLines.slice(-19), text];
        try {
          onLog(JSON.parse(text) as LogLine);
        } catch {
          // A line that is not a log record (a warning of the runtime) stays in `lastLines` for the error message.
        }
      });
      started.once("exit", (code, signal) => {
        if (signal === "SIGKILL") return;
        if (code === 0) finished.resolve();
        else
          finished.reject(
            new Error(`${plan.name} ended with ${signal ?? `exit code ${code}`}:\n${lastLines.join("\n")}`),
          );
      });
    },
    async kill() {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    },
  };
}

/** Rejects when the first of several participants fails, naming it; never resolves. */
export function firstFailure(participants: readonly Participant[]): Promise<never> {
  return Promise.race(
    participants.map(({ finished, name }) =>
      finished.then(
        () => new Promise<never>(() => {}),
        (error: unknown) =>
          Promise.reject(
            new Error(`${name} failed: ${error instanceof Error ? error.message : String(error)}`, { cause: error }),
          ),
      ),
    ),
  );
}
