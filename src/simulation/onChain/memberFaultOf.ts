// SPDX-License-Identifier: Apache-2.0
import type { ClientAlgorithm } from "../../node/clientAlgorithm.ts";
import type { NodeContext } from "../../node/nodeContext.ts";
import { toHex } from "../../protocol/bytes.ts";
import { chunkRoot } from "../../protocol/chunkRoot.ts";
import type { UpdateCommitment } from "../../protocol/commitment.ts";
import { contentIdOfDigest, digestOfContentId } from "../../protocol/contentId.ts";
import type { ContentId, ContentStore } from "../../protocol/contentStore.ts";
import { decodeArtifact, encodeArtifact } from "../../update/artifact.ts";
import type { AttackConfig } from "../attacks/attackConfig.ts";
import { decorate } from "../decorate.ts";
import type { Attackers } from "../laboratory/attackers.ts";

/**
 * Why an attack of the laboratory cannot be one node's misbehaviour; undefined for those that can.
 *
 * @param attackers how many members carry it out, with the cell's other attacks.
 */
export function whyNoMemberFault(attack: AttackConfig, attackers: number): string | undefined {
  const alone = attackers === 1 || !attack.collusion;
  switch (attack.name) {
    case "label-flip":
    case "replay":
    case "non-finite":
      return undefined;
    case "negation":
      return attack.of === "own"
        ? undefined
        : "negation of the mean needs the others' updates, which nobody sees before all have committed; set attack.of to own";
    case "scaling":
      return attack.scale === undefined
        ? "scaling by the number of updates: a member does not know how many will commit; set attack.scale"
        : undefined;
    case "free-rider":
      return attack.sends === "zero"
        ? undefined
        : "free riding on the model's movement runs in the laboratory alone; set attack.sends to zero";
    case "gaussian-noise":
    case "weight-corruption":
      return alone
        ? undefined
        : `colluding attackers with ${attack.name} draw from one stream, and nodes share none; set attack.collusion to false`;
    case "report-inflation":
      return attack.samplesFactor > 1
        ? "the ledger takes no more samples of a member than it was admitted with; set attack.samplesFactor to 1"
        : undefined;
    default:
      return `the attack ${attack.name} needs the others' updates, which nobody sees before all have committed`;
  }
}

/**
 * A node that attacks as the laboratory's attackers do, with their code: crafted updates in place of trained ones, false reports, bytes that are no
 * update. Its shard is poisoned before the node is made. As in the laboratory it remembers nothing of rounds in which it lied.
 *
 * @param id the member's in the laboratory.
 */
export function attackingMember(node: NodeContext, attackers: Attackers, id: number): NodeContext {
  const lied = new Set<number>();
  const { recipe, layout } = node;
  const algorithm: ClientAlgorithm = {
    ...node.algorithm,
    async train(task, signal) {
      const outcome = await node.algorithm.train(task, signal);
      const crafted = await attackers.craft({
        round: task.round,
        trained: [{ id, delta: outcome.delta }],
        received: task.state,
        previous: undefined,
        rule: recipe.aggregation,
      });
      const { samples, loss } = attackers.report(id, task.round, {
        samples: outcome.samples,
        loss: outcome.receivedLoss,
      });
      const delta = crafted.get(id);
      if (delta !== undefined) lied.add(task.round);
      return { ...outcome, samples, receivedLoss: loss, ...(delta === undefined ? {} : { delta, silent: [] }) };
    },
  };
  const close = (round: number, kept: boolean) => node.state.close(round, kept && !lied.has(round));
  const forging = forgePayloads(node, (round) => {
    const payload = attackers.payload(id, round, recipe.update.codec, layout);
    if (payload !== undefined) lied.add(round);
    return payload;
  });
  return { ...node, ...forging, algorithm, state: decorate(node.state, { close }) };
}

/** Ledger and store of a member that commits to, signs and serves an artifact with another payload than the one its node has checked. */
function forgePayloads(
  node: NodeContext,
  payloadOf: (round: number) => Uint8Array | undefined,
): Pick<NodeContext, "ledger" | "store"> {
  const servedFor = new Map<ContentId, ContentId>();
  const commit = async (commitment: UpdateCommitment, signature: `0x${string}`) => {
    const honest = await node.state.prepared(commitment.round);
    const parts = honest === undefined ? undefined : decodeArtifact(honest.artifact);
    const payload = parts?.kind === "update" ? payloadOf(commitment.round) : undefined;
    if (parts === undefined || payload === undefined) return node.ledger.commit(commitment, signature);
    const artifact = encodeArtifact({ ...parts, payload });
    const id = await node.store.put(artifact);
    servedFor.set(contentIdOfDigest(commitment.artifactCid), id);
    const forged: UpdateCommitment = {
      ...commitment,
      artifactDigest: toHex(chunkRoot(artifact)),
      artifactCid: digestOfContentId(id),
    };
    return node.ledger.commit(forged, await node.ledger.signCommitment(forged));
  };
  const serve: ContentStore["serve"] = (id) => node.store.serve(servedFor.get(id) ?? id);
  return { ledger: decorate(node.ledger, { commit }), store: decorate(node.store, { serve }) };
}
