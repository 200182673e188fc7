// SPDX-License-Identifier: Apache-2.0
import type { ClientAlgorithm } from "../../node/clientAlgorithm.ts";
import type { NodeContext } from "../../node/nodeContext.ts";
import type { UpdateCommitment } from "../../protocol/commitment.ts";
import { contentIdOfDigest } from "../../protocol/contentId.ts";
import type { ContentStore } from "../../protocol/contentStore.ts";
import { recipientsOf } from "../../round/recipients.ts";
import { maxArtifactBytes } from "../../update/artifact.ts";
import { decorate } from "../decorate.ts";

/** Dishonest members: honest nodes with one part replaced. The node's own code knows nothing of them. */
export type MemberFault =
  | { readonly kind: "negate"; readonly fromRound: number; readonly factor: number }
  | { readonly kind: "replay"; readonly round: number }
  | { readonly kind: "withhold"; readonly round: number }
  | {
      readonly kind: "serve-some";
      readonly round: number;
      readonly peers: readonly string[];
      readonly swarmKeyFile?: string | undefined;
    };

/** Opens a store that speaks with these peers only. */
export type OpenPrivateStore = (peers: readonly string[], swarmKeyFile?: string) => Promise<ContentStore>;

export function dishonestMember(
  node: NodeContext,
  fault: MemberFault,
  openPrivateStore: OpenPrivateStore,
): NodeContext {
  switch (fault.kind) {
    case "negate":
      return { ...node, algorithm: negating(node.algorithm, fault) };
    case "replay":
      return replaying(node, fault);
    case "withhold":
      return notServing(node, fault.round, async () => {});
    case "serve-some": {
      // Opened with the commit, so that its connections stand when the validators' time to fetch begins.
      let store: Promise<ContentStore> | undefined;
      return notServing(
        node,
        fault.round,
        async (bytes) => {
          // After a restart the commit lies in an earlier life.
          store ??= openPrivateStore(fault.peers, fault.swarmKeyFile);
          const opened = await store;
          await opened.serve(await opened.put(bytes));
        },
        () => {
          store = openPrivateStore(fault.peers, fault.swarmKeyFile);
          store.catch(() => {});
        },
      );
    }
  }
}

/** Model poisoning by a negated, scaled update (spec G3): within the run's bounds, so only the rule can drop it. */
function negating(
  inner: ClientAlgorithm,
  { fromRound, factor }: { fromRound: number; factor: number },
): ClientAlgorithm {
  return {
    ...inner,
    async train(task, signal) {
      const outcome = await inner.train(task, signal);
      if (task.round < fromRound) return outcome;
      return { ...outcome, delta: outcome.delta.map((value) => -factor * value) };
    },
  };
}

/** Commits to another member's artifact of the round before, which is public by then, under its own name and signature. */
function replaying(node: NodeContext, { round }: { round: number }): NodeContext {
  const commit = async (commitment: UpdateCommitment, signature: `0x${string}`) => {
    if (commitment.round !== round) return node.ledger.commit(commitment, signature);
    const others = (await node.ledger.commits(node.run, round - 1)).filter(
      ({ commitment: { memberId } }) => memberId !== node.memberId,
    );
    const stolen = others[0]?.commitment;
    if (stolen === undefined) return node.ledger.commit(commitment, signature);
    const recipients = (await recipientsOf(node.ledger, await node.ledger.roundView(node.run, round))).keys.length;
    const maxBytes = maxArtifactBytes({ codec: node.recipe.update.codec, layout: node.layout, recipients });
    const id = contentIdOfDigest(stolen.artifactCid);
    await node.store.get(id, { maxBytes, signal: node.signal });
    await node.store.serve(id);
    const forged = { ...commitment, artifactDigest: stolen.artifactDigest, artifactCid: stolen.artifactCid };
    return node.ledger.commit(forged, await node.ledger.signCommitment(forged));
  };
  return { ...node, ledger: decorate(node.ledger, { commit }) };
}

/** Commits honestly, and in one round does something else than serving the bytes; `onCommit` comes before that round's commit. */
function notServing(
  node: NodeContext,
  round: number,
  instead: (bytes: Uint8Array) => Promise<void>,
  onCommit: () => void = () => {},
): NodeContext {
  let withheld: string | undefined;
  const commit = async (commitment: UpdateCommitment, signature: `0x${string}`) => {
    if (commitment.round === round) {
      withheld = contentIdOfDigest(commitment.artifactCid);
      onCommit();
    }
    return node.ledger.commit(commitment, signature);
  };
  const serve: ContentStore["serve"] = async (id) => {
    if (id !== withheld) return node.store.serve(id);
    return instead(await node.store.get(id, { maxBytes: 2 ** 30, timeoutMs: 0 }));
  };
  return { ...node, ledger: decorate(node.ledger, { commit }), store: decorate(node.store, { serve }) };
}
