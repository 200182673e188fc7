// SPDX-License-Identifier: Apache-2.0
import type { Report } from "./attack.ts";
import type { ConfigOf } from "./attackConfig.ts";

/**
 * False reports (spec G15): a loss of ten times the true one, against rules that weigh by losses (FedEBA, q-FFL), and a hundred times the samples,
 * against weights by samples. The update is honest.
 */
export function reportInflation({ lossFactor, samplesFactor }: ConfigOf<"report-inflation">, report: Report): Report {
  return { loss: report.loss * lossFactor, samples: Math.max(1, Math.floor(report.samples * samplesFactor)) };
}
