// SPDX-License-Identifier: Apache-2.0

/** Every series a participant exports. Counters only grow, from 0 at the start of the process; gauges say how it is now. */
const SERIES = {
  foedus_transactions_total: {
    type: "counter",
    help: "Transactions of this participant that were mined, by contract call.",
  },
  foedus_gas_total: { type: "counter", help: "Gas used by these transactions." },
  foedus_transaction_seconds_total: { type: "counter", help: "Seconds from sending a transaction until it was mined." },
  foedus_refusals_total: { type: "counter", help: "Updates this validator voted against, by refusal code." },
  foedus_work_total: { type: "counter", help: "Pieces of work done, by kind: training, evaluation, proof." },
  foedus_work_seconds_total: { type: "counter", help: "Seconds spent on them." },
  foedus_log_total: { type: "counter", help: "Warnings and errors in the log." },
  foedus_block: { type: "gauge", help: "Block that counts, by this participant's endpoint." },
  foedus_rounds_opened: { type: "gauge", help: "Rounds of the run that were opened, failed ones included." },
  foedus_rounds_finalised: {
    type: "gauge",
    help: "Rounds of the run that were finalised, the closing round not counted.",
  },
  foedus_run_ended: { type: "gauge", help: "1 when no further round can be opened." },
} as const;

export type SeriesName = keyof typeof SERIES;
export type Labels = Readonly<Record<string, string>>;

/** Numbers for Prometheus, in its text format. */
export class Metrics {
  readonly #values = new Map<SeriesName, Map<string, number>>();

  /** Adds to a counter. */
  count(name: SeriesName, labels: Labels = {}, by = 1): void {
    const series = this.#series(name);
    const key = formatLabels(labels);
    series.set(key, (series.get(key) ?? 0) + by);
  }

  /** Sets a gauge. */
  set(name: SeriesName, value: number, labels: Labels = {}): void {
    this.#series(name).set(formatLabels(labels), value);
  }

  /** The exposition format, version 0.0.4. */
  render(): string {
    let text = "";
    for (const [name, { type, help }] of Object.entries(SERIES)) {
      const series = this.#values.get(name as SeriesName);
      if (series === undefined) continue;
      text += `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
      for (const [labels, value] of series) text += `${name}${labels} ${value}\n`;
    }
    return text;
  }

  #series(name: SeriesName): Map<string, number> {
    const series = this.#values.get(name) ?? new Map<string, number>();
    this.#values.set(name, series);
    return series;
  }
}

function formatLabels(labels: Labels): string {
  const parts = Object.entries(labels).map(
    ([name, value]) => `${name}="${value.replace(/[\\"]/g, "\\$&").replaceAll("\n", "\\n")}"`,
  );
  return parts.length === 0 ? "" : `{${parts.join(",")}}`;
}
