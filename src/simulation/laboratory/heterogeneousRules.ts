// SPDX-License-Identifier: Apache-2.0
import { isEnsemble } from "../../round/serverLearning/serverConfig.ts";
import type { AttackConfig } from "../attacks/attackConfig.ts";
import type { FederationConfig } from "./cellConfig.ts";
import type { Impossibility } from "./forbidden.ts";

const apart = ({ models }: FederationConfig): boolean => models !== undefined;
const distils = ({ server }: FederationConfig): boolean => server?.name === "feddf";
/** Members keep models of their own and the server makes none of all: it has no student that could be measured. */
const withoutGlobalModel = (cell: FederationConfig): boolean =>
  cell.client?.name === "functional" && !(apart(cell) && distils(cell));

/** Attacks on parameters, which do not travel here. */
const onParameters = (attack: AttackConfig): boolean =>
  attack.name === "jaa" ||
  attack.name === "weight-corruption" ||
  (attack.name === "copycat" && attack.disguise === "permutation");

/** What cannot be where members have architectures of their own, and why. */
export const MODELS_APART: readonly Impossibility[] = [
  {
    when: (cell) => !apart(cell) && cell.model === undefined,
    because: "members need a model; set model, or models for architectures that they take in turn",
  },
  {
    when: (cell) => apart(cell) && cell.client?.name !== "functional",
    because:
      "models of different architectures have no parameters in common, so predictions travel; take client functional (recipe: heterogeneous-models)",
  },
  {
    when: (cell) => apart(cell) && cell.server?.name !== "functional" && !distils(cell),
    because:
      "members of different architectures send predictions, which this server does not take; take server functional or feddf",
  },
  {
    when: (cell) => apart(cell) && !distils(cell) && cell.model !== undefined,
    because:
      "members have their own models and functional aggregation makes none of all; leave model out (null), or take server feddf, whose student it is",
  },
  {
    when: (cell) => apart(cell) && distils(cell) && cell.model === undefined,
    because: "FedDF distils into a student of the server's; say its architecture in model",
  },
  {
    when: ({ models, server }) => models !== undefined && server?.name === "feddf" && server.dropShare > 0,
    because:
      "the server has members' predictions and not their models, which it could measure; set dropShare to 0 (combine: median bears liars)",
  },
  {
    when: ({ models, aggregation }) =>
      models !== undefined && (aggregation.rule !== "weighted-mean" || aggregation.before !== undefined),
    because:
      "predictions are combined by the server strategy and not by the rule; leave aggregation out (FedDF has combine: median)",
  },
  {
    when: (cell) => apart(cell) && [cell.attack ?? []].flat().some(onParameters),
    because: "the attack is made on one model's parameters, and here none travel; take one on what members send",
  },
  {
    when: (cell) => {
      const { jacobianSamples, marginSamples, ranking } = cell.evaluate;
      return withoutGlobalModel(cell) && (jacobianSamples > 0 || marginSamples !== undefined || ranking === true);
    },
    because:
      "there is no model of all to measure; leave evaluate.jacobianSamples, evaluate.marginSamples and evaluate.ranking out",
  },
  {
    when: (cell) => withoutGlobalModel(cell) && cell.shift !== undefined,
    because:
      "the figures on both sides of the shift are of one model of all, and members keep their own; leave shift out, or take server feddf, whose student is measured",
  },
  {
    when: ({ server, evaluate }) => server !== undefined && isEnsemble(server) && evaluate.own === true,
    because: "members of an ensemble have their group's model and none of their own; leave evaluate.own out",
  },
];
