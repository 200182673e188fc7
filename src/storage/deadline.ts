// SPDX-License-Identifier: Apache-2.0

/** A signal that several causes can abort, and which of them did. */
export interface Deadline {
  readonly signal: AbortSignal;
  /** The error of the first cause, or undefined while there is none. */
  cause(): unknown;
  /** `work`, unless a cause comes first: then rejects with it at once, whatever `work` still does. */
  race<T>(work: Promise<T>): Promise<T>;
  /** Frees timer and listeners, and aborts whatever still works under the signal. */
  end(): void;
}

/**
 * Joins a caller's signal, a time limit and a store's closing.
 *
 * Not `AbortSignal.timeout`: its timer does not keep the process alive, so a process with nothing else to do would end
 * in the middle of a wait.
 *
 * @param timeoutMs Infinity for none.
 */
export function deadline(
  timeoutMs: number,
  timedOut: () => Error,
  signals: readonly (AbortSignal | undefined)[],
): Deadline {
  const controller = new AbortController();
  const abortWith = (reason: unknown): void => controller.abort(reason);
  const timer = Number.isFinite(timeoutMs) ? setTimeout(() => abortWith(timedOut()), timeoutMs) : undefined;
  const watched = signals
    .filter((signal) => signal !== undefined)
    .map((signal) => ({ signal, onAbort: (): void => abortWith(signal.reason) }));
  for (const { signal, onAbort } of watched) {
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  }
  return {
    signal: controller.signal,
    cause: () => (controller.signal.aborted ? controller.signal.reason : undefined),
    race: (work) =>
      new Promise((resolve, reject) => {
        const onAbort = (): void => reject(controller.signal.reason);
        if (controller.signal.aborted) onAbort();
        else controller.signal.addEventListener("abort", onAbort, { once: true });
        work.then(resolve, reject).finally(() => controller.signal.removeEventListener("abort", onAbort));
      }),
    end() {
      clearTimeout(timer);
      for (const { signal, onAbort } of watched) signal.removeEventListener("abort", onAbort);
      abortWith(new Error("The work under this deadline has ended."));
    },
  };
}
