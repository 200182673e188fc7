// SPDX-License-Identifier: Apache-2.0

/** Why work ended that a person ended. */
export class Stopped extends Error {
  constructor(signal: string) {
    super(`stopped by ${signal}`);
    this.name = "Stopped";
  }
}

export interface StopSignals extends Disposable {
  /** Aborts with a `Stopped` at the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
}

/** Exit codes of processes that a signal ended, as shells count them. */
export const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

export type StopSignal = keyof typeof EXIT_CODES;

/**
 * The first SIGINT or SIGTERM asks the command to stop in order; the second ends the process at once, which loses nothing either: everything
 * resumes from chain, store and disk.
 */
export function stopSignals(onStop: (signal: StopSignal) => void): StopSignals {
  const controller = new AbortController();
  const handle = (name: StopSignal): void => {
    if (controller.signal.aborted) process.exit(EXIT_CODES[name]);
    onStop(name);
    controller.abort(new Stopped(name));
  };
  for (const name of Object.keys(EXIT_CODES)) process.on(name, handle);
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      for (const name of Object.keys(EXIT_CODES)) process.off(name, handle);
    },
  };
}

/**
 * Runs work that a signal may end. Once it was asked to stop, whatever it throws on its way out (closed connections, the signal's reason) is no
 * error.
 */
export async function untilStopped(stop: StopSignals, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  }
}
