// SPDX-License-Identifier: Apache-2.0
import { accuracy } from "../../learning/evaluate.ts";
import type { Dataset } from "../../protocol/dataset.ts";
import { splitMaster } from "../../protocol/grid.ts";
import { type Certificate, certificateOf, certifiedAccuracy } from "../../round/serverLearning/flCert/certificates.ts";
import { ensembleVotes } from "../../round/serverLearning/flCert/ensemble.ts";
import { groupsOf } from "../../round/serverLearning/flCert/groups.ts";
import type { Predictor } from "../../round/serverLearning/predictors.ts";
import type { EnsembleConfig } from "../../round/serverLearning/serverConfig.ts";
import type { CellRecord, Ending } from "./cellRecord.ts";
import type { Evaluation } from "./evaluateFederation.ts";
import type { Federation, Member } from "./federation.ts";
import { rankingFigures } from "./rankingFigures.ts";
import type { CellSurroundings } from "./runCell.ts";
import { shiftAfter } from "./shift.ts";
import { type RoundFacts, simulateRound } from "./simulateRound.ts";

/** Numbers of malicious members against which predictions are certified. */
const MALICIOUS = [1, 2, 3] as const;

/**
 * FLCert (spec E11): a federation per group of members, each with its own model, server optimiser and memory of its members, all from the same initial
 * model; at the end of a round all models vote. Accuracy is that of the majority, on members' samples too; a vote has no loss.
 *
 * Every group runs the cell's own rounds: its rule, its attackers (who know the updates of their group), and of the round's cohort the members that
 * are in the group. A group without enough of them stays as it is.
 *
 * @returns figures `certifiedAt1` … `certifiedAt3`: accuracy that so many malicious members cannot change; `groupAccuracy`: the mean of the models
 * by themselves; `failedGroupRounds`.
 */
export async function runEnsemble(
  federation: Federation,
  config: EnsembleConfig,
  record: CellRecord,
  { kernels, onRound, signal }: CellSurroundings,
): Promise<Ending> {
  const { rounds, evaluate } = federation.config;
  const ids = federation.members.map(({ id }) => id);
  const groups = groupsOf(config, ids, federation.random.derive("groups")).map((members) =>
    groupFederation(federation, members),
  );
  const voters = (): readonly Predictor[] => groups.map(predictorOf);
  let failedGroupRounds = 0;
  let shifted = {};
  record.evaluated(0, await evaluateVote(federation, config, voters()));
  for (let round = 1; round <= rounds; round++) {
    signal?.throwIfAborted();
    const facts: RoundFacts[] = [];
    for (const group of groups) facts.push(await simulateRound(group, round, kernels));
    failedGroupRounds += facts.filter(({ failed }) => failed !== undefined).length;
    record.ended(...facts);
    if (round % evaluate.every === 0 || round === rounds)
      record.evaluated(round, await evaluateVote(federation, config, voters()));
    shifted = {
      ...shifted,
      ...(await shiftAfter(round, [federation, ...groups], async () => ({
        accuracy: (await evaluateVote(federation, config, voters())).accuracy,
        ...(evaluate.ranking === true
          ? rankingOfVotes(await ensembleVotes(voters(), federation.test), federation)
          : {}),
      }))),
    };
    onRound?.(round, rounds);
  }
  const { test, model } = federation;
  const votes = await ensembleVotes(voters(), test);
  const certificates = votes.map((row) => certificateOf(config, row, ids.length));
  let alone = 0;
  for (const { parameters } of voters()) alone += await accuracy(model, parameters, test);
  return {
    masters: groups.map(({ master }) => master),
    jacobian: null,
    figures: {
      ...Object.fromEntries(
        MALICIOUS.map((count) => [`certifiedAt${count}`, certifiedAccuracy(certificates, test.labels, count)]),
      ),
      groupAccuracy: alone / groups.length,
      failedGroupRounds,
      ...(evaluate.ranking === true ? rankingOfVotes(votes, federation) : {}),
      ...shifted,
    },
  };
}

function rankingOfVotes(
  votes: Awaited<ReturnType<typeof ensembleVotes>>,
  { test }: Pick<Federation, "test">,
): Ending["figures"] {
  return rankingFigures(Float64Array.from(votes.flatMap((row) => [...row])), test);
}

/** The members of one group with memories of their own, around a model of their own. */
function groupFederation(federation: Federation, ids: readonly number[]): Federation {
  const byId = new Map(federation.members.map((member) => [member.id, member]));
  return {
    ...federation,
    members: ids.map((id) => ({ ...(byId.get(id) as Member) })),
    attackers: federation.attackers?.elsewhere(),
  };
}

function predictorOf({ model, master, layout }: Federation): Predictor {
  return { model, parameters: splitMaster(master, layout).view.subarray(0, model.parameterCount) };
}

async function evaluateVote(
  { test, members, attackers }: Federation,
  config: EnsembleConfig,
  voters: readonly Predictor[],
): Promise<Evaluation> {
  const share = async (dataset: Dataset): Promise<number> => {
    const votes = await ensembleVotes(voters, dataset);
    const certificates: Certificate[] = votes.map((row) => certificateOf(config, row, members.length));
    // Whatever is certified: at −1 every right label counts.
    return certifiedAccuracy(certificates, dataset.labels, -1);
  };
  const clients: number[] = [];
  for (const { id, test: own } of members)
    if (own !== undefined && own.size > 0 && attackers?.ids.has(id) !== true) clients.push(await share(own));
  return { accuracy: await share(test), loss: Number.NaN, clients };
}
