// SPDX-License-Identifier: Apache-2.0
import { stringify } from "yaml";
import type { Epsilon } from "../privacy/rdp.ts";
import { formatTable } from "./print.ts";
import type { Mechanism, Sigmas } from "./privacyMechanism.ts";
import type { NoisePlan, NoiseRow, RelationRow } from "./privacyPlan.ts";

const UNKNOWN = "-";

/** What `foedus privacy noise` prints. @param parameters of the model, to compare the noise with the longest update. */
export function formatNoise(plan: NoisePlan, parameters?: number): string {
  const { mechanism, least, budget, ifPublished, loss, lossShare, updatesAlone, recipe } = plan;
  const columns: readonly NoiseRow[] = ifPublished === undefined ? [plan] : [plan, ifPublished];
  const { mode } = mechanism;
  const row = (label: string, of: (column: NoiseRow) => string): string[] => [label, ...columns.map(of)];
  const headings = ifPublished === undefined ? ["noise"] : ["cohorts secret", "cohorts published"];
  const lines = [
    `${titleOf(mechanism)}, epsilon ${budget} at delta ${mechanism.delta}`,
    "",
    formatTable(
      ["", ...headings],
      [
        row("q as it counts", ({ sampling }) => figure(sampling.rate)),
        row("noise multiplier z", ({ noiseMultiplier }) => String(noiseMultiplier)),
        ...sigmaRows(
          mechanism,
          columns.map(({ sigma }) => sigma),
        ),
        ...noiseLengthRow(
          mechanism,
          columns.map(({ sigma }) => sigma),
          parameters,
        ),
        row("epsilon", ({ epsilon }) => epsilon.toFixed(6)),
        row("best order", ({ order }) => String(order)),
        row("neighbours", ({ relation }) => relation),
      ],
    ),
    "",
    `Of sampling: ${plan.sampling.reason}.`,
    `Against ${plan.sigma.against}.`,
  ];
  if (least !== undefined) lines.push(worstLine(mechanism, least));
  if (ifPublished !== undefined)
    lines.push(
      `If those it is against learn who took part, the same epsilon takes ${(ifPublished.noiseMultiplier / plan.noiseMultiplier).toPrecision(3)} times the noise: plan with --published.`,
    );
  if (loss !== undefined)
    lines.push(
      `Counted with the updates: ${mechanism.rounds + 1} reported losses (one in the closing round) with noise ${loss.noiseMultiplier} * ${loss.clip} nats. For updates alone z = ${updatesAlone} would do.`,
      `By themselves the losses may take a share of ${lossShare} of epsilon (--loss-share).`,
      "A failed round in which a member has committed counts like any other; to be sure, plan for maxOpenings rounds.",
    );
  lines.push("", `# ${whereOf(mode)}`, stringify({ privacy: recipe }).trimEnd());
  return lines.join("\n");
}

/** What `foedus privacy epsilon` found. */
export interface FoundEpsilon extends Epsilon<"add-remove" | "replace-one"> {
  /** Of members with the samples that were said or more, the one that spends most. */
  readonly mechanism: Mechanism;
  /** As it was said, where that is another. */
  readonly least?: Mechanism;
  readonly noiseMultiplier: number;
  readonly lossMultiplier?: number;
  readonly sigma: Sigmas;
  readonly relations: readonly RelationRow[];
}

export function formatEpsilon(found: FoundEpsilon, parameters?: number): string {
  const { mechanism, least, noiseMultiplier, lossMultiplier, epsilon, delta, order, relation, sigma, relations } =
    found;
  const reports = mechanism.mode === "local" || mechanism.mode === "record";
  const losses = lossMultiplier === undefined ? "none" : `${mechanism.rounds + 1} with z = ${lossMultiplier}`;
  const counted = reports ? `; reported losses: ${losses}` : "";
  return [
    `${titleOf(mechanism)}, z = ${noiseMultiplier}${counted}`,
    "",
    `epsilon ${epsilon.toFixed(6)} at delta ${delta}, neighbours ${relation}, order ${order}`,
    ...(least === undefined ? [] : [worstLine(mechanism, least)]),
    "",
    formatTable(
      ["noise", "model units"],
      [...sigmaRows(mechanism, [sigma]), ...noiseLengthRow(mechanism, [sigma], parameters)],
    ),
    "",
    "The same noise under each relation; figures of different relations do not compare and do not add up:",
    "",
    formatTable(
      ["neighbours", "sampling", "q", "sigma/S", "epsilon", "order", ""],
      relations.map((row) => [
        row.relation,
        row.sampling,
        row.epsilon === null ? UNKNOWN : figure(row.rate),
        row.noiseMultiplier === null ? UNKNOWN : figure(row.noiseMultiplier),
        row.epsilon?.toFixed(6) ?? UNKNOWN,
        row.order === null ? UNKNOWN : String(row.order),
        row.note,
      ]),
    ),
    "",
    `Against ${sigma.against}.`,
  ].join("\n");
}

/** Who spends most, where it is not the member that has least. */
function worstLine({ records, steps, sampling }: Mechanism, least: Mechanism): string {
  return `Of members with ${least.records?.samples} samples or more, one with ${records?.samples} spends most: ${steps} steps a round in place of ${least.steps}, with q = ${figure(sampling.rate)}. These figures are for it.`;
}

function titleOf({ mode, unit, rounds, steps, clipNorm }: Mechanism): string {
  const noise = mode === "record" ? "DP-SGD" : `${mode[0]?.toUpperCase()}${mode.slice(1)} noise`;
  const times = steps > 1 ? ` of ${steps} steps` : "";
  return `${noise}, privacy of a ${unit === "client" ? "member" : "record"}: ${rounds} rounds${times}, clip norm ${clipNorm}`;
}

function sigmaRows({ mode, cohort, records }: Mechanism, sigmas: readonly Sigmas[]): string[][] {
  const row = (label: string, of: (sigma: Sigmas) => number | undefined): string[] => [
    label,
    ...sigmas.map((sigma) => {
      const value = of(sigma);
      return value === undefined ? UNKNOWN : figure(value);
    }),
  ];
  if (mode === "record")
    return [
      row("sigma on a sum of gradients", ({ member }) => member),
      row(`sigma on the mean of B = ${records?.batchSize}`, ({ mean }) => mean),
    ];
  return [
    row("sigma that each member adds", ({ member }) => member),
    ...(mode === "central" ? [row("sigma that the server adds to the sum", ({ server }) => server)] : []),
    row(
      cohort === undefined ? "sigma on the mean (state --cohort)" : `sigma on the mean of ${cohort}`,
      ({ mean }) => mean,
    ),
  ];
}

/** The noise's expected length over the longest update: above 1 it drowns every signal. */
function noiseLengthRow({ mode, clipNorm }: Mechanism, sigmas: readonly Sigmas[], parameters?: number): string[][] {
  if (parameters === undefined || mode === "record") return [];
  const ratio = ({ mean }: Sigmas): string =>
    mean === undefined ? UNKNOWN : figure((mean * Math.sqrt(parameters)) / clipNorm);
  return [["its length, in longest updates", ...sigmas.map(ratio)]];
}

function whereOf(mode: Mechanism["mode"]): string {
  return {
    central:
      "for a recipe of the laboratory, with aggregation: { rule: uniform-mean }; on a chain nobody could add this noise in secret",
    distributed:
      "for a recipe of the laboratory, with aggregation: { rule: uniform-mean }; on a chain single updates are seen",
    local: "for a recipe, with an aggregation rule that does not weigh by sample counts, e.g. { rule: uniform-mean }",
    record: "for a recipe, with FedAvg and a model without dropout",
  }[mode];
}

function figure(value: number): string {
  return String(Number(value.toPrecision(6)));
}
