// SPDX-License-Identifier: Apache-2.0
/**
 * A validator's part of a round, from the committed artifacts in its store on disk to the new model's root, in a process of its own so that its
 * memory can be told. Prints one line of JSON, a `StreamingReport`.
 *
 *     node test/slow/streamingChild.ts CASE.json STORE
 */
import { readFileSync } from "node:fs";
import { aggregate } from "../../src/aggregation/aggregate.ts";
import { holdUpdates } from "../../src/aggregation/holdUpdates.ts";
import { masterInMemory } from "../../src/aggregation/masterInMemory.ts";
import { openCpuKernels } from "../../src/kernels/cpu/cpuKernels.ts";
import { toHex } from "../../src/protocol/bytes.ts";
import { encodeCheckpoint, modelRoot } from "../../src/protocol/checkpoint.ts";
import type { CommitRecord } from "../../src/protocol/ledger.ts";
import type { Logger } from "../../src/protocol/logger.ts";
import type { VerifiedUpdate } from "../../src/protocol/verifiedUpdate.ts";
import { HELD_BYTES } from "../../src/round/decideRound.ts";
import { fetchUntil } from "../../src/validator/round/fetchUpdates.ts";
import { isRefusal, judgeUpdates } from "../../src/validator/round/judgeUpdates.ts";
import type { ValidatorContext, ValidatorRound } from "../../src/validator/validatorContext.ts";
import { openFolderStore } from "../support/folderStore.ts";
import { commitmentOf, contextOf, masterOf, type StreamingCase, type StreamingReport } from "./streamingCase.ts";

const [casePath, storePath] = process.argv.slice(2) as [string, string];
const round = JSON.parse(readFileSync(casePath, "utf8")) as StreamingCase;

const peak = (): number => Math.ceil(process.resourceUsage().maxRSS / 1_024);
const started = peak();
const secondsSince = (then: number): number => Math.round(performance.now() - then) / 1_000;
const toStderr = (fields: object, message: string): void => console.error(message, JSON.stringify(fields));
const logger: Logger = { debug: toStderr, info: () => {}, warn: toStderr, error: toStderr };

const store = await openFolderStore(storePath);
const context = contextOf(round, masterOf(round.size));
const { layout } = context;
const validator = {
  store,
  logger,
  layout,
  recipe: { update: { codec: round.codec } },
  signal: new AbortController().signal,
} as unknown as ValidatorContext;
const commits = round.commits.map(
  (commit, commitIndex): CommitRecord => ({ commitment: commitmentOf(commit), commitIndex, signature: "0x", block: 1 }),
);

const fetching = performance.now();
const place = { recipients: { keys: context.recipients } } as unknown as ValidatorRound;
const fetched = await fetchUntil(
  validator,
  place,
  commits,
  (stop) => new Promise((resolve) => stop.addEventListener("abort", () => resolve())),
);
const fetchSeconds = secondsSince(fetching);
const fetchedPeak = peak();

const verifying = performance.now();
const judgements = await judgeUpdates(validator, fetched, context);
const refused = judgements.filter(({ verdict }) => isRefusal(verdict));
if (refused.length > 0) throw new Error(`${refused.length} updates were refused.`);
const updates = await holdUpdates(
  judgements.map(({ verdict }) => verdict as VerifiedUpdate),
  HELD_BYTES,
);
const verifySeconds = secondsSince(verifying);
const verifiedPeak = peak();

const kernels = await openCpuKernels();
const results: StreamingReport["results"][number][] = [];
for (const config of round.rules) {
  const aggregating = performance.now();
  const master = masterInMemory(context.master);
  let reports = 0;
  const { kept } = await aggregate({
    updates,
    reputations: updates.map(() => 65_536),
    alphaQ16: 58_982,
    beacon: `0x${"5a".repeat(32)}`,
    config,
    layout,
    master,
    kernels,
    onProgress: () => reports++,
  });
  const checkpoint = encodeCheckpoint({ master: master.after, state: {} }, { layout, recipe: {} });
  results.push({
    rule: config.rule,
    kept: updates.flatMap(({ memberId }, i) => (kept[i] ? [memberId] : [])),
    modelRoot: toHex(modelRoot(checkpoint)),
    reports,
    seconds: secondsSince(aggregating),
  });
}
await kernels.close();
await store.close();
const report: StreamingReport = {
  fetchSeconds,
  verifySeconds,
  results,
  peakMiB: { started, fetched: fetchedPeak, verified: verifiedPeak, done: peak() },
};
console.log(JSON.stringify(report));
