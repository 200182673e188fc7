// SPDX-License-Identifier: Apache-2.0
import { basename } from "node:path";
import { ConfigError } from "../../protocol/errors.ts";
import { type Cell, cellsOf, type ExperimentConfig, parseExperiment } from "../laboratory/experimentConfig.ts";

export interface Choice {
  readonly choose?: Readonly<Record<string, string>> | undefined;
  readonly seed?: number | undefined;
  /** N_g: as an ensemble of so many groups. */
  readonly groups?: number | undefined;
}

/**
 * The one cell that is meant, of an experiment or of a file that is a federation by itself.
 *
 * @throws ConfigError naming the axes and their choices where more than one cell fits, or none.
 */
export function chooseCell(
  value: unknown,
  file: string,
  { choose = {}, seed, groups }: Choice,
): Cell & { readonly experiment: string } {
  const experiment = experimentIn(value, file, seed ?? 1);
  const seeds = [seed ?? (experiment.seeds[0] as number)];
  const { axes } = experiment;
  for (const [axis, choice] of Object.entries(choose))
    if (!Object.hasOwn(axes, axis) || !Object.hasOwn(axes[axis] ?? {}, choice))
      throw new ConfigError(
        `${file} has no ${Object.hasOwn(axes, axis) ? `choice "${choice}" along the axis "${axis}"` : `axis "${axis}"`}. ${described(experiment)}`,
        { axis, choice },
      );
  const chosen = (axis: string): string | undefined => (Object.hasOwn(choose, axis) ? choose[axis] : undefined);
  const open = Object.keys(axes).filter(
    (axis) => chosen(axis) === undefined && Object.keys(axes[axis] ?? {}).length > 1,
  );
  if (open.length > 0)
    throw new ConfigError(
      `${file} has ${cellsOf({ ...experiment, seeds }).length} federations; say which with --choose ${open.map((axis) => `${axis}=…`).join(" --choose ")}. ${described(experiment)}`,
      { open },
    );
  const narrowed = Object.fromEntries(
    Object.entries(axes).map(([axis, choices]) => {
      const choice = chosen(axis) ?? (Object.keys(choices)[0] as string);
      return [axis, { [choice]: choices[choice] as Record<string, unknown> }];
    }),
  );
  const one = { ...experiment, seeds, axes: narrowed };
  const [cell] = cellsOf(one);
  if (groups === undefined) return { ...(cell as Cell), experiment: experiment.name };
  if (cell !== undefined && "server" in cell.config && cell.config.server !== undefined)
    throw new ConfigError(
      `--groups makes the server keep a model per group, and this federation's server does ${cell.config.server.name} already; leave one of both out.`,
    );
  const ensemble = { [String(groups)]: { server: { name: "flcert-d", groups } } };
  const [grouped] = cellsOf({ ...one, axes: { ...narrowed, groups: ensemble }, except: [] });
  return { ...(grouped as Cell), experiment: experiment.name };
}

/** A file without `base` is a federation by itself. */
function experimentIn(value: unknown, file: string, seed: number): ExperimentConfig {
  if (typeof value !== "object" || value === null || "base" in value) return parseExperiment(value, file);
  const name = basename(file)
    .replace(/\.[^.]*$/, "")
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, "-")
    .replace(/^-+/, "");
  return parseExperiment(
    { name: name === "" ? "cell" : name.slice(0, 60), title: name || "cell", seeds: [seed], base: value },
    file,
  );
}

function described({ axes }: ExperimentConfig): string {
  const named = Object.entries(axes).map(([axis, choices]) => `${axis}: ${Object.keys(choices).join(", ")}`);
  return named.length === 0 ? "It is one federation." : `There are ${named.join("; ")}.`;
}
