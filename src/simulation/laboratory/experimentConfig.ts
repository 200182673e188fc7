// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { toHex, utf8 } from "../../protocol/bytes.ts";
import { canonicalJson, type Json } from "../../protocol/canonicalJson.ts";
import { ConfigError } from "../../protocol/errors.ts";
import { keccak256 } from "../../protocol/hash.ts";
import { type CellConfig, parseCell } from "./cellConfig.ts";
import { claimSchema } from "./claims.ts";
import { requirePossible } from "./forbidden.ts";
import { recipeNamed } from "./recipes.ts";

type Tree = { readonly [key: string]: unknown };

/** A named choice along one axis of the grid: what it changes of the base. */
const choices = z.record(
  z.string().regex(/^[A-Za-z0-9 ._+×=()%αβγδελμρστκ-]{1,60}$/),
  z.record(z.string(), z.unknown()),
);

/**
 * An experiment file: a base federation, axes along which it varies, and seeds. Every combination of one choice per axis and one seed is a cell.
 * Choices are merged over the base (objects by key, everything else replaced; null takes a key away), in the order of the axes.
 */
export const experimentSchema = z
  .strictObject({
    name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,60}$/),
    title: z.string().min(1).max(200),
    /** What the experiment asks and what it is measured against. */
    question: z.string().max(4_000).default(""),
    /** What its results say, in words, once there are some. */
    reading: z.string().max(8_000).default(""),
    seeds: z
      .array(
        z
          .int()
          .min(0)
          .max(2 ** 32),
      )
      .min(1)
      .max(1_000)
      .refine((seeds) => new Set(seeds).size === seeds.length, "each seed once"),
    base: z.record(z.string(), z.unknown()),
    axes: z.record(z.string().regex(/^[a-z][a-z0-9-]{0,30}$/), choices).default({}),
    /** The axis along which every choice is tested against the first, in pairs of seeds, all other choices being equal; left out: the first axis. */
    compare: z.string().max(31).optional(),
    /** The row of acceptance that the claims belong to. */
    row: z
      .string()
      .regex(/^[A-Z][A-Z0-9-]{0,40}$/)
      .optional(),
    claims: z.array(claimSchema).default([]),
    /** Combinations that are left out: every named axis has one of the named choices. */
    except: z.array(z.record(z.string(), z.union([z.string(), z.array(z.string())]))).default([]),
  })
  .refine(({ compare, axes }) => compare === undefined || Object.hasOwn(axes, compare), {
    path: ["compare"],
    error: "`compare` names no axis of the experiment",
  });

export type ExperimentConfig = z.infer<typeof experimentSchema>;

/** One cell of an experiment. */
export interface Cell {
  /** keccak256 of the configuration and the seed: results are found again by it. */
  readonly id: string;
  /** The choice along each axis. */
  readonly labels: Readonly<Record<string, string>>;
  readonly seed: number;
  readonly config: CellConfig;
}

/** Most cells of one experiment. */
const MAX_CELLS = 10_000;

/**
 * All cells of an experiment, seeds innermost, each checked.
 *
 * @throws ConfigError for a file that is no experiment, a cell that is not valid, and a combination that cannot be meant (spec O), naming it.
 */
export function cellsOf(experiment: ExperimentConfig): Cell[] {
  const axes = Object.entries(experiment.axes);
  const combinations = axes.reduce<readonly (readonly string[])[]>(
    (all, [, named]) => all.flatMap((before) => Object.keys(named).map((choice) => [...before, choice])),
    [[]],
  );
  if (combinations.length * experiment.seeds.length > MAX_CELLS)
    throw new ConfigError(
      `${experiment.name}: ${combinations.length * experiment.seeds.length} cells; at most ${MAX_CELLS} are run. Leave choices or seeds out.`,
    );
  const cells: Cell[] = [];
  for (const chosen of combinations) {
    const labels = Object.fromEntries(axes.map(([axis], i) => [axis, chosen[i] as string]));
    if (experiment.except.some((rule) => matches(rule, labels))) continue;
    const parts = [experiment.base, ...axes.map(([axis, named]) => named[labels[axis] as string] as Tree)];
    const stated = parts.map(withoutRecipe).reduce(merge);
    const merged = parts.flatMap((part) => [...recipeOf(part, stated), withoutRecipe(part)]).reduce(merge);
    const where = `${experiment.name}, ${
      Object.entries(labels)
        .map(([axis, choice]) => `${axis} ${choice}`)
        .join(", ") || "its one cell"
    }`;
    const config = checkedCell(merged, where);
    if (!("study" in config)) requirePossible(config, where);
    for (const seed of experiment.seeds) cells.push({ id: idOf(config, seed), labels, seed, config });
  }
  if (cells.length === 0) throw new ConfigError(`${experiment.name}: \`except\` leaves no cell to run.`);
  return cells;
}

function checkedCell(value: Tree, where: string): CellConfig {
  try {
    return parseCell(value);
  } catch (error) {
    if (!(error instanceof z.ZodError)) throw error;
    throw new ConfigError(`${where}: this is no federation.\n${z.prettifyError(error)}`, { where }, error);
  }
}

/** @throws ConfigError naming the file and what is wrong in it. */
export function parseExperiment(value: unknown, file: string): ExperimentConfig {
  const parsed = experimentSchema.safeParse(value);
  if (!parsed.success) throw new ConfigError(`${file}: ${z.prettifyError(parsed.error)}`, { file });
  return parsed.data;
}

function idOf(config: CellConfig, seed: number): string {
  return toHex(keccak256(utf8(canonicalJson(JSON.parse(JSON.stringify({ config, seed })) as Json)))).slice(2, 18);
}

function matches(
  rule: Readonly<Record<string, string | readonly string[]>>,
  labels: Readonly<Record<string, string>>,
): boolean {
  return Object.entries(rule).every(([axis, allowed]) => {
    const label = labels[axis];
    if (label === undefined)
      throw new ConfigError(`\`except\` names an axis "${axis}" that the experiment does not have.`);
    return typeof allowed === "string" ? allowed === label : allowed.includes(label);
  });
}

/** `recipe: NAME` stands for what the named recipe says, under whatever is said beside it. @param stated the whole cell without recipes */
function recipeOf({ recipe }: Tree, stated: Tree): Tree[] {
  if (recipe === undefined) return [];
  if (typeof recipe !== "string") throw new ConfigError("`recipe` is the name of one.");
  return [recipeNamed(recipe, stated)];
}

function withoutRecipe({ recipe: _, ...rest }: Tree): Tree {
  return rest;
}

/** A discriminated object (one with a name, kind, rule, mode or optimiser of its own) replaces another of a different kind whole. */
const KINDS = ["name", "kind", "rule", "mode", "optimiser"];

function merge(base: Tree, over: Tree): Tree {
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const before = merged[key];
    if (value === null) delete merged[key];
    else if (isTree(before) && isTree(value) && sameKind(before, value)) merged[key] = merge(before, value);
    else merged[key] = value;
  }
  return merged;
}

function sameKind(before: Tree, after: Tree): boolean {
  return KINDS.every((kind) => !(kind in after) || after[kind] === before[kind]);
}

function isTree(value: unknown): value is Tree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
