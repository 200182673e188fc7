// SPDX-License-Identifier: Apache-2.0
import type { Logger } from "../protocol/logger.ts";
import { Metrics } from "./metrics.ts";

/** A line of the log, as the status page shows it. */
export interface StatusEvent {
  readonly at: string;
  readonly level: "info" | "warn" | "error";
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** What a participant says of itself, asked anew for each page. */
export type Describe = () => Promise<Readonly<Record<string, unknown>>>;

const EVENTS_KEPT = 50;

/** What the status pages show. It exists before the participant is open, so that an operator sees what it waits for. */
export class StatusBoard {
  readonly metrics = new Metrics();
  readonly #role: string;
  readonly #startedAt = new Date().toISOString();
  readonly #events: StatusEvent[] = [];
  #describe: Describe | undefined;

  constructor(role: "node" | "validator") {
    this.#role = role;
  }

  /** From now on the pages tell how the participant stands. */
  attach(describe: Describe): void {
    this.#describe = describe;
  }

  /** The same log; what is worth a person's look is kept for the page. */
  observe(logger: Logger): Logger {
    const keep = (level: StatusEvent["level"]) => (fields: Record<string, unknown>, message: string) => {
      this.#events.push({ at: new Date().toISOString(), level, message, fields });
      if (this.#events.length > EVENTS_KEPT) this.#events.shift();
      if (level !== "info") this.metrics.count("foedus_log_total", { level });
      logger[level](fields, message);
    };
    return {
      debug: (fields, message) => logger.debug(fields, message),
      info: keep("info"),
      warn: keep("warn"),
      error: keep("error"),
    };
  }

  /** @throws whatever asking the chain throws. */
  async status(): Promise<Record<string, unknown>> {
    const described = this.#describe === undefined ? { phase: "starting" } : await this.#describe();
    return { role: this.#role, startedAt: this.#startedAt, ...described, events: [...this.#events].reverse() };
  }

  /** Whether the participant is open and its chain answers. */
  async health(): Promise<{ readonly ok: boolean; readonly detail: string }> {
    if (this.#describe === undefined) return { ok: false, detail: "starting" };
    await this.#describe();
    return { ok: true, detail: "ok" };
  }

  async metricsText(): Promise<string> {
    // Refreshes the gauges; counters are worth reading even while the chain does not answer.
    await this.#describe?.().catch(() => {});
    return this.metrics.render();
  }
}
