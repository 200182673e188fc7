// SPDX-License-Identifier: Apache-2.0
import { ruleOf } from "../../aggregation/rules.ts";
import { sendsBeside } from "../../learning/algorithms/sendsBeside.ts";
import { ConfigError } from "../../protocol/errors.ts";
import { isEnsemble } from "../../round/serverLearning/serverConfig.ts";
import { type CellConfig, cohortSize, type FederationConfig } from "../laboratory/cellConfig.ts";

/** Ways of forgetting by name: spec I1, I2, I3, I4. */
export const METHODS = ["exact", "recompute", "eraser", "sharded"] as const;
export type Method = (typeof METHODS)[number];

/** A reason not to forget, and when it holds. */
interface Obstacle {
  readonly when: (cell: FederationConfig) => boolean;
  readonly because: string;
}

const votes = ({ server }: FederationConfig): boolean => server !== undefined && isEnsemble(server);
const isPrivate = ({ privacy }: FederationConfig): boolean => privacy !== undefined && privacy.mode !== "none";
/** Where only the sum of a cohort's updates is meant to exist. */
const hidesUploads = ({ privacy }: FederationConfig): boolean =>
  privacy?.mode === "central" || privacy?.mode === "distributed";

const ENSEMBLE: Obstacle = {
  when: votes,
  because:
    "the cell's groups have a model each (server.name flcert-d); take --method sharded, which replays the member's group alone",
};

/** Client algorithms that send something else than a change of the model. One of some tensors alone, as of adapters, is a change of the model. */
const NO_CHANGE_OF_MODEL: ReadonlySet<string> = new Set(["fedmeta", "lora"]);

/** Cells from which no member is forgotten, whatever the method. */
const IMPOSSIBLE: readonly Obstacle[] = [
  {
    when: ({ schedule }) => schedule !== undefined,
    because:
      "with a schedule a model depends on who was fast, so the run without a member is no part of the run with it; only rounds are replayed, so leave `schedule` out",
  },
  {
    when: ({ server }) => server?.name === "flcert-p",
    because:
      "FLCert-P's groups overlap, so a member is in many of the models; take flcert-d, whose groups are disjoint",
  },
  {
    when: (cell) => "shift" in cell && cell.shift !== undefined,
    because: "members' data change on the way (shift), and a member is forgotten with the data that it has",
  },
  {
    when: ({ models }) => models !== undefined,
    because: "members have architectures of their own, so there is no model of all that could be replayed",
  },
  {
    when: ({ client }) => client?.name === "functional",
    because: "functional aggregation has no model of all whose memory could be examined",
  },
  {
    when: ({ client }) => client?.name === "partial",
    because: "members keep layers of their own, so there is no model of all whose memory could be examined",
  },
];

const OBSTACLES: Readonly<Record<Method, readonly Obstacle[]>> = {
  exact: [ENSEMBLE],
  recompute: [
    ENSEMBLE,
    {
      when: hidesUploads,
      because:
        "single uploads do not exist where only a cohort's noisy sum is published, so nothing can be aggregated again without one of them; take --method exact",
    },
  ],
  eraser: [
    ENSEMBLE,
    {
      when: hidesUploads,
      because:
        "single uploads do not exist where only a cohort's noisy sum is published, so there are none to calibrate; take --method exact",
    },
    {
      when: isPrivate,
      because:
        "calibration trains the others once more in a way that no account of privacy covers; take --method exact",
    },
    {
      when: ({ aggregation, server, serverOptimiser }) =>
        aggregation.rule !== "weighted-mean" ||
        aggregation.before !== undefined ||
        server !== undefined ||
        (serverOptimiser !== undefined && serverOptimiser.name !== "none"),
      because:
        "FedEraser adds up calibrated updates by the weighted mean, and this federation does something else with them",
    },
    {
      when: ({ client }) => sendsBeside(client) || NO_CHANGE_OF_MODEL.has(client?.name ?? "fedavg"),
      because:
        "FedEraser gives a model's layers their old length back, and this client algorithm sends something else than a model's change",
    },
    {
      when: ({ update }) => update.downlink !== undefined,
      because: "members of this federation do not have the server's model (update.downlink), which FedEraser rebuilds",
    },
    {
      when: ({ attack }) => attack !== undefined,
      because: "FedEraser asks the others to train honestly once more, and some of them attack",
    },
  ],
  sharded: [
    {
      when: (cell) => !votes(cell),
      because:
        "the federation has one model of all members; sharding needs one per group: --groups N runs it so (server: { name: flcert-d, groups: N })",
    },
  ],
};

/** @throws ConfigError naming the reason why no member of this cell can be forgotten, or not this one. */
export function requireForgettable(cell: CellConfig, member: number): asserts cell is FederationConfig {
  if ("study" in cell)
    throw new ConfigError(
      `The cell is a study (${cell.study.name}), which has no federation's members; name an experiment with federations.`,
      { study: cell.study.name },
    );
  for (const { when, because } of IMPOSSIBLE)
    if (when(cell)) throw new ConfigError(`Nobody can be forgotten here: ${because}.`, { member });
  if (member > cell.members)
    throw new ConfigError(`There is no member ${member}: the federation has members 1 … ${cell.members}.`, {
      member,
      members: cell.members,
    });
  if (votes(cell)) return;
  const needed = neededUpdates(cell);
  const cohort = cohortSize(cell);
  if (cohort < needed)
    throw new ConfigError(
      `${cell.aggregation.rule} needs ${needed} updates and a round has ${cohort}: every round fails, and no member's update ever enters the model.`,
      { needed, cohort },
    );
}

/**
 * @param present members whose updates made the model, the member's among them: its group's, without those forgotten before.
 * @throws ConfigError where too few of them would be left for any round.
 */
export function requireEnoughLeft(cell: FederationConfig, member: number, present: readonly number[]): void {
  const needed = neededUpdates(cell);
  const left = present.filter((id) => id !== member).length;
  if (left >= needed) return;
  const where = votes(cell) ? " of its group" : "";
  throw new ConfigError(
    `Without member ${member} no round${where} has enough updates: ${cell.aggregation.rule} needs ${needed} and ${left} would be left. Every round would fail, and the model would be the initial one.`,
    { member, needed, left },
  );
}

function neededUpdates({ aggregation }: FederationConfig): number {
  return Math.max(1, ruleOf(aggregation).minUpdates);
}

/** Why a method cannot be used on a federation, as a sentence's part; undefined where it can. */
export function obstacleTo(method: Method, cell: FederationConfig): string | undefined {
  return OBSTACLES[method].find(({ when }) => when(cell))?.because;
}

/**
 * The methods that were asked for: one, which must be possible, or all that are, with the reasons why the others are not.
 *
 * @throws ConfigError for a method that is not possible, or where none is.
 */
export function methodsFor(
  asked: Method | "all",
  cell: FederationConfig,
): { readonly methods: readonly Method[]; readonly leftOut: readonly { method: Method; because: string }[] } {
  const wanted = asked === "all" ? METHODS : [asked];
  const leftOut = wanted.flatMap((method) => {
    const because = obstacleTo(method, cell);
    return because === undefined ? [] : [{ method, because }];
  });
  const methods = wanted.filter((method) => !leftOut.some((out) => out.method === method));
  if (methods.length === 0)
    throw new ConfigError(leftOut.map(({ method, because }) => `--method ${method}: ${because}.`).join("\n"), {
      method: asked,
    });
  return { methods, leftOut };
}

/** Whether single uploads are kept with the run's records. */
export function keepsUploads(cell: FederationConfig): boolean {
  return !votes(cell) && !hidesUploads(cell);
}
