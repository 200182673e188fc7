// SPDX-License-Identifier: Apache-2.0
/** The whole set-up, in order, once at a time: Node 24, packages, circuits with development keys, contracts, kernels. */
import { join } from "node:path";
import { endCaptured, signalExitCode } from "./child.mjs";
import { dependenciesReady, ensureDependencies } from "./dependencies.mjs";
import { SetupError } from "./failure.mjs";
import { ensureGenerated, generatedReady } from "./generated.mjs";
import { acquireLock } from "./lock.mjs";
import { STATE } from "./paths.mjs";
import { duration, Progress } from "./progress.mjs";

/**
 * Make whatever is missing; return at once, and say nothing, when all is there.
 *
 * @param {{ generated: boolean }} need `generated`: circuits, keys, contracts and kernels too, not only Node 24 and the packages
 * @returns {Promise<boolean>} whether anything had to be made
 * @throws {SetupError} with the next step for the reader
 */
export async function ensureSetup({ generated }) {
  const ready = () => dependenciesReady() && (!generated || generatedReady());
  if (ready()) return false;

  const progress = new Progress();
  const startedAt = Date.now();
  const release = await acquireLock(join(STATE, "setup.lock"), {
    onWait: (pid) =>
      progress.say(`· Another set-up of this checkout is at work (process ${pid ?? "unknown"}); waiting for it …`),
  });
  let stopping = false;
  const stop = async (signal) => {
    if (stopping) return;
    stopping = true;
    progress.fail();
    await endCaptured();
    release();
    progress.say("Set-up stopped. The next run goes on from the last completed step.");
    process.exit(signalExitCode(signal));
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const signal of signals) process.on(signal, stop);
  try {
    if (ready()) return false; // The other set-up did it.
    await ensureDependencies(progress);
    if (generated) await ensureGenerated(progress);
    if (progress.completed > 0)
      progress.say(`✔ Set-up complete (${duration(Date.now() - startedAt)}); the next start takes a moment.`);
    return progress.completed > 0;
  } catch (error) {
    if (stopping) await new Promise(() => {}); // The step failed because it was stopped; `stop` ends the process.
    progress.fail();
    throw error.code === "ENOSPC"
      ? new SetupError("The disk is full.", { nextStep: "free about 2 GB, then run it again.", cause: error })
      : error;
  } finally {
    for (const signal of signals) process.off(signal, stop);
    release();
  }
}
