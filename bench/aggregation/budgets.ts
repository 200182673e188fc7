// SPDX-License-Identifier: Apache-2.0
import { ratio } from "../lib/statistics.ts";
import type { Results, Row } from "./results.ts";

/** What the project promises about one ratio, judged on every size that was measured. */
export interface Budget {
  readonly what: string;
  /** "≥ 3" */
  readonly limit: string;
  /** The worst value and where it was; null where nothing was measured. */
  readonly worst: { readonly value: number; readonly where: string } | null;
  readonly cells: number;
  /** Sizes at which it is met. */
  readonly met: number;
}

interface Value {
  readonly value: number | null;
  readonly where: string;
}

const place = ({ name, k, d, threads, backend }: Row): string =>
  `${name}, K = ${k}, d = ${d.toExponential(0).replace("+", "")}, ${backend}${backend === "cpu" ? `, ${threads} thread${threads === 1 ? "" : "s"}` : ""}`;

function judge(what: string, side: "≥" | "≤", limit: number, values: readonly Value[]): Budget {
  const there = values.filter((entry): entry is Value & { value: number } => entry.value !== null);
  const ordered = [...there].sort((a, b) => (side === "≥" ? a.value - b.value : b.value - a.value));
  return {
    what,
    limit: `${side} ${limit}`,
    worst: ordered[0] ?? null,
    cells: there.length,
    met: there.filter(({ value }) => (side === "≥" ? value >= limit : value <= limit)).length,
  };
}

const ORDER = /^(?:median|trimmed mean|mean around median)$/;
const GRAM = /^Gram/;
/** ByzFed's variants are one rule to the budget. */
const BUDGETED_RULES = /^rule: (?:krum|multi-krum|bulyan|geometric-median|byzfed)/;

/** The budgets of the aggregation engine, each judged from the results and nothing else. */
export function budgetsOf({ rows, bandwidth, peers, rules, uploaded }: Results): Budget[] {
  const cpu = rows.filter(({ backend }) => backend === "cpu");
  const same = (all: readonly Row[], row: Row, change: Partial<Row>): Row | undefined => {
    const wanted = { name: row.name, k: row.k, d: row.d, threads: row.threads, ...change };
    return all.find(
      ({ name, k, d, threads }) =>
        name === wanted.name && k === wanted.k && d === wanted.d && threads === wanted.threads,
    );
  };
  const against = (name: RegExp, value: (row: Row) => number | null, from: readonly Row[] = cpu): Value[] =>
    from.filter((row) => name.test(row.name)).map((row) => ({ value: value(row), where: place(row) }));
  const peerRatio =
    (peer: string) =>
    (row: Row): number | null =>
      ratio(
        peers.find(
          (entry) =>
            entry.peer === peer &&
            entry.name === row.name &&
            entry.k === row.k &&
            entry.d === row.d &&
            (entry.threads === row.threads || peer === "gram int64"),
        )?.ms,
        row.ms,
      );
  const ofReader =
    (reader: string) =>
    (row: Row): number | null =>
      ratio(
        row.gbps,
        bandwidth.find(
          (entry) =>
            entry.reader === reader &&
            entry.name === row.name &&
            entry.k === row.k &&
            entry.d === row.d &&
            entry.threads === row.threads,
        )?.gbps,
      );
  const speedUp = (row: Row): number | null => ratio(same(cpu, row, { threads: 1 })?.ms, row.ms);
  const two = cpu.filter(({ threads }) => threads === 2);
  const atK = (k: number): Row[] => cpu.filter((row) => row.k === k);
  const int16 = /^Gram \(int16 range\)$/;
  const full = /^Gram \(full range\)$/;
  return [
    judge(
      "weighted sum (dense): share of what a K-stream reader reaches that takes a line of each stream in turn",
      "≥",
      0.6,
      against(/^weighted sum \(dense\)$/, ofReader("lines")),
    ),
    judge(
      "the same, of the fastest K-stream reader",
      "≥",
      0.6,
      against(/^weighted sum \(dense\)$/, (row) => row.ratioBandwidth),
    ),
    judge(
      "weighted sum (int8), decoded on the way: parameters per second against dense",
      "≥",
      2,
      against(/^weighted sum \(int8\)$/, (row) => ratio(same(cpu, row, { name: "weighted sum (dense)" })?.ms, row.ms)),
    ),
    judge(
      "median against the fastest of numpy median, partition, sort",
      "≥",
      3,
      against(/^median$/, (row) => row.ratioNumpy),
    ),
    judge(
      "trimmed mean against the faster of numpy partition, sort",
      "≥",
      3,
      against(/^trimmed mean$/, (row) => row.ratioNumpy),
    ),
    judge(
      "exact Gram (int16 range), K = 20, against float64 BLAS",
      "≥",
      1.3,
      against(int16, peerRatio("gram float64 blas"), atK(20)),
    ),
    judge(
      "the same, updates in float64 already",
      "≥",
      1.3,
      against(int16, peerRatio("gram float64 blas, already float64"), atK(20)),
    ),
    judge(
      "exact Gram (full range), K = 20, against float64 BLAS (inexact there)",
      "≥",
      1.3,
      against(full, peerRatio("gram float64 blas inexact"), atK(20)),
    ),
    judge(
      "exact Gram (int16 range), K = 100, against float64 BLAS",
      "≥",
      0.5,
      against(int16, peerRatio("gram float64 blas"), atK(100)),
    ),
    judge(
      "the same, updates in float64 already",
      "≥",
      0.5,
      against(int16, peerRatio("gram float64 blas, already float64"), atK(100)),
    ),
    judge(
      "exact Gram (full range), K = 100, against float64 BLAS (inexact there)",
      "≥",
      0.5,
      against(full, peerRatio("gram float64 blas inexact"), atK(100)),
    ),
    judge("exact Gram (int16 range) against numpy int64", "≥", 5, against(int16, peerRatio("gram int64"))),
    judge(
      "krum, multi-krum, bulyan, geometric-median, byzfed: whole aggregation against own Gram + own weighted sum",
      "≤",
      1.2,
      rules
        .filter(({ name, backend }) => backend === "cpu" && BUDGETED_RULES.test(name))
        .map(({ name, k, d, threads, ratioParts }) => ({
          value: ratioParts,
          where: `${name}, K = ${k}, d = ${d.toExponential(0).replace("+", "")}, ${threads} thread${threads === 1 ? "" : "s"}`,
        })),
    ),
    judge(
      "two threads: time against one, everything",
      "≤",
      1.05,
      two.map((row) => ({ value: ratio(row.ms, same(cpu, row, { threads: 1 })?.ms), where: place(row) })),
    ),
    judge("two threads: speed-up of Gram matrices", "≥", 1.5, against(GRAM, speedUp, two)),
    judge("two threads: speed-up of order statistics", "≥", 1.5, against(ORDER, speedUp, two)),
    judge(
      "GPU, data uploaded already: weighted sum (dense) and order statistics, of the device's copy bandwidth",
      "≥",
      0.5,
      uploaded
        .filter(({ name }) => name === "weighted sum (dense)" || ORDER.test(name))
        .map(({ name, k, ratioCopy }) => ({ value: ratioCopy, where: `${name}, K = ${k}, gpu` })),
    ),
  ];
}
