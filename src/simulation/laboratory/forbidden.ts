// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from "../../protocol/errors.ts";
import type { FederationConfig } from "./cellConfig.ts";

/** A combination that would run and mean nothing (spec O, last line), and why. */
interface Impossibility {
  readonly when: (cell: FederationConfig) => boolean;
  readonly because: string;
}

const attacked = ({ attack }: FederationConfig): boolean => attack !== undefined;

const IMPOSSIBLE: readonly Impossibility[] = [
  {
    when: (cell) =>
      attacked(cell) && cell.aggregation.rule === "fedatt" && cell.aggregation.parameters.attention === "distance",
    because:
      "FedAtt by distance gives most weight to the longest update, so an attack takes the model over; choose cosine attention",
  },
  {
    when: (cell) =>
      attacked(cell) && cell.aggregation.rule === "fedeba" && cell.aggregation.parameters.capMads === undefined,
    because: "FedEBA weighs by reported losses, so a liar takes all the weight; set aggregation.parameters.capMads",
  },
  {
    when: ({ participation, members }) => Math.ceil(participation * members) < 1,
    because: "nobody would be invited",
  },
];

/** @throws ConfigError with the first reason why a cell makes no sense. */
export function requirePossible(cell: FederationConfig, where: string): void {
  for (const { when, because } of IMPOSSIBLE) if (when(cell)) throw new ConfigError(`${where}: ${because}.`, { where });
}
