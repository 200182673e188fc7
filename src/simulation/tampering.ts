// SPDX-License-Identifier: Apache-2.0
import type { AuditReport } from "../audit/auditRun.ts";
import type { Link } from "../audit/links.ts";
import { PROOF_OF_TRAINING, SHAPLEY_REWARDS } from "../chain/contracts.ts";
import type { Hex } from "../protocol/bytes.ts";
import { contentIdOfDigest } from "../protocol/contentId.ts";
import type { ContentStore } from "../protocol/contentStore.ts";
import { startLyingGateway } from "./lyingGateway.ts";
import { type RpcCall, startRpcProxy } from "./rpcProxy.ts";

/** One lie of an operator, and what the audit made of it. */
export interface TamperingResult {
  readonly what: string;
  readonly detected: boolean;
  readonly round: number | null;
  readonly link: string;
}

/** An operator's endpoints: what an auditor would connect to. */
export interface OperatorEndpoints {
  readonly rpcUrl: string;
  /** undefined: the honest store. */
  readonly storeUrl?: string;
}

interface Lie {
  readonly what: string;
  /** What a correct audit names. */
  readonly round: number | null;
  readonly link: Link;
  start(): Promise<{ endpoints: OperatorEndpoints; stop(): Promise<void> }>;
}

/**
 * A dishonest operator alters one answer at a time. The audit must fail each time and name exactly this round and this link: failing for
 * another reason would be an accident, not a detection.
 */
export async function playDishonestOperator(
  target: { rpcUrl: string; store: ContentStore; maxBytes: number; round: number; checkpointCid: Hex },
  audit: (endpoints: OperatorEndpoints) => Promise<AuditReport>,
  onLie: (result: TamperingResult) => void,
): Promise<TamperingResult[]> {
  const results: TamperingResult[] = [];
  for (const lie of lies(target)) {
    const { endpoints, stop } = await lie.start();
    try {
      const { failures } = await audit(endpoints);
      const named = failures[0];
      const detected =
        failures.length > 0 && failures.every(({ round, link }) => round === lie.round && link === lie.link);
      const result = { what: lie.what, detected, round: named?.round ?? null, link: named?.link ?? "none" };
      results.push(result);
      onLie(result);
    } finally {
      await stop();
    }
  }
  return results;
}

function lies(target: {
  rpcUrl: string;
  store: ContentStore;
  maxBytes: number;
  round: number;
  checkpointCid: Hex;
}): Lie[] {
  const byProxy = (after: (call: RpcCall, result: unknown) => unknown) => async () => {
    const proxy = await startRpcProxy(target.rpcUrl, { after });
    return { endpoints: { rpcUrl: proxy.url }, stop: () => proxy.close() };
  };
  return [
    {
      what: `one byte of the checkpoint of round ${target.round} flipped`,
      round: target.round,
      link: "checkpoint",
      async start() {
        const gateway = await startLyingGateway(target.store, contentIdOfDigest(target.checkpointCid), target.maxBytes);
        return { endpoints: { rpcUrl: target.rpcUrl, storeUrl: gateway.url }, stop: () => gateway.close() };
      },
    },
    {
      what: "one member's reward changed",
      round: null,
      link: "settlement",
      start: byProxy(alterLog(SHAPLEY_REWARDS.eventTopic("Settled"))),
    },
    {
      what: `one attestation of round ${target.round} replaced`,
      round: target.round,
      link: "attestation",
      start: byProxy(alterLog(PROOF_OF_TRAINING.eventTopic("Attested"), target.round)),
    },
  ];
}

/** Changes the last digit of the first matching log: the last reward of a settlement, the seal of an attestation. */
function alterLog(topic: Hex, round?: number): (call: RpcCall, result: unknown) => unknown {
  return ({ method }, result) => {
    if (method !== "eth_getLogs" || !Array.isArray(result)) return result;
    const logs = result as { topics: string[]; data: string; transactionHash: string }[];
    const target = logs.find(
      ({ topics }) => topics[0] === topic && (round === undefined || BigInt(topics[2] ?? 0) === BigInt(round)),
    );
    if (target !== undefined) target.data = `${target.data.slice(0, -1)}${target.data.endsWith("0") ? "1" : "0"}`;
    return logs;
  };
}
