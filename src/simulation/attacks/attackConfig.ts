// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";

/** When attackers attack; in all other rounds they behave. */
const schedule = z
  .strictObject({
    /** First round. */
    from: z.int().min(0).max(1_000_000).default(0),
    /** Chance of each round from then on. */
    probability: z.number().gt(0).max(1).default(1),
    /** On and off in turn, to keep a reputation: behave for `offFor` rounds, attack for `onFor`. */
    cycle: z.strictObject({ offFor: z.int().min(1).max(10_000), onFor: z.int().min(1).max(10_000) }).optional(),
  })
  .prefault({});

const common = {
  /** Members that attack: a number of them, or a share of all, rounded down. */
  count: z.int().min(1).max(2_048).optional(),
  fraction: z.number().gt(0).lt(1).optional(),
  /**
   * `agnostic`: their own updates only. `partial`: the honest updates, or the rule where the attack is made against one. `omniscient`: both.
   */
  knowledge: z.enum(["agnostic", "partial", "omniscient"]).default("omniscient"),
  /** Whether they act as one, on what all of them know, or each alone as if there were no other. */
  collusion: z.boolean().default(true),
  schedule,
};

/** z of LIE: the formula of Baruch et al., the table of Doc2's code (by the number of attackers), or a number. */
const leeway = z.union([z.enum(["formula", "table"]), z.number().min(0).max(10)]).default("formula");

/** Every attack with its parameters (src/simulation/attacks/table.ts). */
export const attackSchema = z
  .discriminatedUnion("name", [
    z.strictObject({
      name: z.literal("label-flip"),
      ...common,
      /** y → C−1−y, y → (y+1) mod C, a random other label, or one label to another. */
      flip: z
        .union([
          z.enum(["mirror", "next", "random"]),
          z.strictObject({ from: z.int().min(0).max(65_535), to: z.int().min(0).max(65_535) }),
        ])
        .default("mirror"),
      /** Share of an attacker's samples that are flipped; of those labelled `from` where one label is aimed at. */
      share: z.number().gt(0).max(1).default(1),
    }),
    z.strictObject({
      name: z.literal("gaussian-noise"),
      ...common,
      /** σ of each coordinate, in units of the parameters; `relative`: in units of ‖Δ‖/√d. */
      deviation: z.number().positive().max(1e6).default(0.05),
      relative: z.boolean().default(false),
      /** Noise instead of the update rather than on top of it. */
      replace: z.boolean().default(false),
    }),
    z.strictObject({
      name: z.literal("negation"),
      ...common,
      scale: z.number().positive().max(1e6).default(1),
      /** Of the attacker's own update, or of the mean of those it knows (inner-product manipulation). */
      of: z.enum(["own", "mean"]).default("own"),
    }),
    z.strictObject({
      name: z.literal("weight-corruption"),
      ...common,
      /** Share of the coordinates of the attacker's model that are corrupted. */
      share: z.number().gt(0).max(1).default(0.3),
      /** Drawn anew from N(0, std(w)²), or with their signs flipped. */
      by: z.enum(["noise", "sign"]).default("noise"),
    }),
    z.strictObject({ name: z.literal("lie"), ...common, z: leeway, sign: z.literal([-1, 1]).default(-1) }),
    z.strictObject({
      name: z.literal("fang-krum"),
      ...common,
      /** Bound on λ as in the paper, or as in the code that later papers share. */
      mode: z.enum(["paper", "reference"]).default("paper"),
      /** ε: all but one attacker add noise of this length, so that they are not identical. */
      noise: z.number().min(0).max(1e6).default(0),
    }),
    z.strictObject({
      name: z.literal("fang-trim"),
      ...common,
      /** b. */
      factor: z.number().gt(1).max(100).default(2),
      /** Beyond the extremes of the known updates, or 3 to 4 deviations off their mean. Left out: extremes if honest updates are known. */
      beyond: z.enum(["extremes", "moments"]).optional(),
    }),
    z.strictObject({
      name: z.literal("min-max"),
      ...common,
      direction: z.enum(["uv", "std", "sgn"]).default("std"),
    }),
    z.strictObject({
      name: z.literal("min-sum"),
      ...common,
      direction: z.enum(["uv", "std", "sgn"]).default("std"),
      /** Sum of squared distances that may not be exceeded: the largest of an honest update (paper) or the smallest (code). */
      bound: z.enum(["max", "min"]).default("max"),
    }),
    z.strictObject({
      name: z.literal("jaa"),
      ...common,
      z: leeway,
      steps: z.int().min(1).max(1_000).default(20),
      learningRate: z.number().positive().max(10).default(0.01),
      /** α of the Jacobian's norm and β of the distance to the target. */
      alpha: z.number().min(0).max(1e3).default(1e-3),
      beta: z.number().min(0).max(1e3).default(1),
    }),
    z.strictObject({
      name: z.literal("free-rider"),
      ...common,
      /** Nothing, or the global model's own last movement. */
      sends: z.enum(["zero", "movement"]).default("movement"),
      /** σ of the noise added to the movement, in units of its root mean square. */
      noise: z.number().min(0).max(10).default(1e-3),
    }),
    z.strictObject({ name: z.literal("replay"), ...common }),
    z.strictObject({
      name: z.literal("copycat"),
      ...common,
      knowledge: z.enum(["partial", "omniscient"]).default("partial"),
      /** The copy as it is, with a little noise, or with the hidden units in another order. */
      disguise: z.enum(["none", "noise", "permutation"]).default("none"),
      /** Length of the noise in units of ‖Δ‖. */
      noise: z.number().positive().max(1).default(1e-6),
    }),
    z.strictObject({
      name: z.literal("sybil"),
      ...common,
      /** One update under all identities, or its coordinates dealt among them. */
      updates: z.enum(["identical", "split"]).default("identical"),
      /** Times the mean of their own updates; negative poisons. */
      scale: z.number().min(-1e6).max(1e6).default(1),
    }),
    z.strictObject({
      name: z.literal("scaling"),
      ...common,
      /** s; K when left out, which replaces the model. */
      scale: z.number().positive().max(1e6).optional(),
    }),
    z.strictObject({
      name: z.literal("non-finite"),
      ...common,
      /** float32 NaN or infinity where the grid's integers belong, a value off the grid, or a level that is not used. */
      value: z.enum(["nan", "infinity", "off-grid", "unused-level"]).default("nan"),
    }),
    z.strictObject({
      name: z.literal("report-inflation"),
      ...common,
      lossFactor: z.number().positive().max(1e6).default(10),
      samplesFactor: z.number().positive().max(1e6).default(100),
    }),
  ])
  .refine(({ count, fraction }) => (count === undefined) !== (fraction === undefined), {
    message: "say how many attack: either count or fraction",
  });

export type AttackConfig = z.infer<typeof attackSchema>;
/** A cell's attacks in a list: it states none, one or several. */
export function attacksOf(attack: AttackConfig | readonly AttackConfig[] | undefined): readonly AttackConfig[] {
  if (attack === undefined) return [];
  return "name" in attack ? [attack] : attack;
}

export type AttackName = AttackConfig["name"];
export type ConfigOf<N extends AttackName> = Extract<AttackConfig, { readonly name: N }>;
