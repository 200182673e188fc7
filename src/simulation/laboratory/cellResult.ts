// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";

const measure = z.number().nullable();

/** What one evaluated round showed. Shares are 0 … 1; null where nothing was measured or the value is no number. */
export const roundPointSchema = z.strictObject({
  round: z.int(),
  /** Virtual seconds, where members work without rounds. */
  time: measure.default(null),
  accuracy: measure,
  loss: measure,
  clientMean: measure,
  clientStd: measure,
});

/** The result of one cell: a line of a results file. */
export const cellResultSchema = z.strictObject({
  version: z.literal(1),
  experiment: z.string(),
  id: z.string(),
  /** Digest of the sources that made it. */
  code: z.string(),
  labels: z.record(z.string(), z.string()),
  seed: z.number(),
  parameters: z.int(),
  points: z.array(roundPointSchema),
  final: z.strictObject({
    accuracy: measure,
    loss: measure,
    /** Mean, standard deviation (population), least, and Jain index of `clients`. */
    clientMean: measure,
    clientStd: measure,
    clientWorst: measure,
    jain: measure,
    /** Of members kept out as attackers, over all rounds; null without attackers. */
    detectionRecall: measure,
    detectionFalsePositives: measure,
    jacobian: measure,
    /** ε of the whole run where privacy is on. */
    epsilon: measure,
  }),
  /** What a study measured, or a federation beside `final`, by name. */
  figures: z.record(z.string(), z.number()),
  /**
   * In the end, the accuracy of each honest member that has test samples of its own, ascending in id: with its own model (an ensemble's vote) on
   * those samples. Empty where members are not measured.
   */
  clients: z.array(z.number()),
  traffic: z.strictObject({
    /** Bytes of all uploads: payload, and what the record holds of it. */
    uplinkBytes: z.number(),
    /** Of what members were sent at the start of their rounds. */
    downlinkBytes: z.number(),
    /** The same rounds with float32 parameters. */
    denseUplinkBytes: z.number(),
    /** Those of each member that had a round, ascending in id, which sum to those above; left out of studies and of runs on chain. */
    members: z.array(z.strictObject({ id: z.int(), up: z.number(), down: z.number() })).optional(),
  }),
  rounds: z.strictObject({ finalised: z.int(), failed: z.int(), refused: z.int(), reason: z.string().nullable() }),
  /** keccak256 of the last master model: equal seeds give equal ones. */
  head: z.string(),
  seconds: z.strictObject({ total: z.number(), training: z.number() }),
});

export type CellResult = z.infer<typeof cellResultSchema>;
export type RoundPoint = z.infer<typeof roundPointSchema>;
