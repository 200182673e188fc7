// SPDX-License-Identifier: Apache-2.0

import { laboratoryOnly } from "../../aggregation/needsOf.ts";
import { MAX_EXACT_PLAYERS } from "../../incentives/shapley.ts";
import { laboratoryOnly as clientForLaboratory } from "../../learning/algorithms/laboratoryOnly.ts";
import { ConfigError } from "../../protocol/errors.ts";
import { MAX_MODEL_SIZE } from "../../protocol/layout.ts";
import { keepsResidual } from "../../update/codecs.ts";
import { attacksOf } from "../attacks/attackConfig.ts";
import { attackerCount } from "../attacks/schedule.ts";
import { cohortSize, type FederationConfig } from "../laboratory/cellConfig.ts";
import type { Cell } from "../laboratory/experimentConfig.ts";
import { sized } from "../laboratory/modelShares.ts";
import { whyNoMemberFault } from "./memberFaultOf.ts";
import { leastAccepted } from "./recipeOf.ts";

/** Slots of the largest loss circuit, and so the most updates of a round. */
export const MAX_MEMBERS = 32;
/** Highest chance that a sampled cohort is too small, as the contract has it. */
const MAX_COHORT_RISK = 1e-3;
/** Reasons that one message names. */
const MAX_REASONS = 20;

/** A cell that real nodes and validators can run. */
export type FederationCell = Cell & { readonly config: FederationConfig };

/**
 * The cells as federations that chain, nodes and validators can run.
 *
 * @throws ConfigError with the reasons for the cells that they cannot, before anything is started.
 */
export function requireRealRuns(cells: readonly Cell[]): readonly FederationCell[] {
  const reasons = new Map<string, string[]>();
  for (const { config, labels } of cells) {
    const why =
      "study" in config ? ["a study of one mechanism is no federation, so there is nothing to run"] : reasonsOf(config);
    const where = Object.entries(labels).map(([axis, choice]) => `${axis} ${choice}`);
    for (const reason of why) reasons.set(reason, [...(reasons.get(reason) ?? []), where.join(", ")]);
  }
  if (reasons.size === 0) return cells as readonly FederationCell[];
  const listed = [...reasons].slice(0, MAX_REASONS).map(([reason, where]) => `  ${nameOf(where)}: ${reason}`);
  throw new ConfigError(
    `Nodes and validators cannot run all of these cells. Leave them out with \`except\`, or run the experiment without --chain:\n${listed.join("\n")}`,
    { reasons: [...reasons.keys()].slice(0, MAX_REASONS) },
  );
}

/** Every combination once; seeds make no difference. */
function nameOf(where: readonly string[]): string {
  const different = [...new Set(where)].filter((name) => name !== "");
  if (different.length === 0) return "its cell";
  const more = different.length > 3 ? ` and ${different.length - 3} more` : "";
  return `${different.slice(0, 3).join("; ")}${more}`;
}

/** Why a federation is one of the laboratory alone; empty where it is not. */
function reasonsOf(cell: FederationConfig): string[] {
  const { members, aggregation, update, client, server, privacy, schedule, scoring } = cell;
  // Which coordinates wait does not depend on how many there are.
  const { codec } = sized(cell, MAX_MODEL_SIZE).update;
  const least = leastAccepted(cell);
  const reasons: (string | undefined)[] = [
    laboratoryOnly(aggregation),
    // Names of tensors are known with the data; what follows from them alone is refused where the run is prepared.
    clientForLaboratory(client, [""]),
    members > MAX_MEMBERS
      ? `${members} members; the largest loss circuit takes ${MAX_MEMBERS} updates of a round`
      : undefined,
    members < least
      ? `${members} members; with ${aggregation.rule} a round accepts at least ${least} updates`
      : undefined,
    members >= least ? cohortRisk(cell, least) : undefined,
    server === undefined
      ? undefined
      : `the server strategy ${server.name} reads single updates in the clear of one server, which a run does not have`,
    cell.models === undefined
      ? undefined
      : "members of a run train the recipe's model; architectures of their own (models) are for the laboratory",
    schedule === undefined
      ? undefined
      : "members that work without rounds are for the laboratory; the ledger has rounds",
    cell.shift === undefined
      ? undefined
      : "a node trains on one shard; data that change in the middle of a run are for the laboratory",
    cell.servers === undefined
      ? undefined
      : "validators aggregate together, and no server is chosen; leave servers out",
    privacy === undefined || privacy.mode === "none"
      ? undefined
      : "the noise of real members comes from secrets of their own, so no cell could be repeated; leave privacy out",
    scoring?.method === "truncated" || scoring?.method === "cosine"
      ? `no recipe scores by ${scoring.method}; take monte-carlo, gtg or in-run-1`
      : undefined,
    update.downlink === undefined
      ? undefined
      : "validators publish whole checkpoints; a compressed downlink is for the laboratory",
    !update.errorFeedback && keepsResidual(codec)
      ? "a node always keeps what its upload left unsaid; leave errorFeedback out"
      : undefined,
    scoring?.compare === true
      ? "validators score by one method, and exact values to compare with are the laboratory's; leave scoring.compare out"
      : undefined,
    scoring?.method === "exact" && members > MAX_EXACT_PLAYERS
      ? `${members} members; exact scores are of at most ${MAX_EXACT_PLAYERS} updates, and any number may be invited`
      : undefined,
    ...attacksOf(cell.attack).map((attack) => whyNoMemberFault(attack, attackerCount(attack, members))),
  ];
  return reasons.filter((reason) => reason !== undefined);
}

/** On chain everyone is invited independently with probability K/N, so a small cohort can be too small. */
function cohortRisk({ members, participation }: FederationConfig, least: number): string | undefined {
  const cohort = cohortSize({ members, participation });
  if (cohort >= members) return undefined;
  const share = cohort / members;
  let term = (1 - share) ** members;
  let risk = term;
  for (let k = 0; k + 1 < least; k++) {
    term *= ((members - k) / (k + 1)) * (share / (1 - share));
    risk += term;
  }
  if (risk <= MAX_COHORT_RISK) return undefined;
  return `participation ${participation} of ${members} members: a cohort has fewer than ${least} members with probability ${risk.toPrecision(2)}, and the ledger allows ${MAX_COHORT_RISK}`;
}
