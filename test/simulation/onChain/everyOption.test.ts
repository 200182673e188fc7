// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { z } from "zod";
import { createOnnxNodeEngine } from "../../../src/learning/engines/onnxNode.ts";
import type { LearningEngine } from "../../../src/learning/model.ts";
import { type FederationConfig, federationSchema } from "../../../src/simulation/laboratory/cellConfig.ts";
import { cellsOf, parseExperiment } from "../../../src/simulation/laboratory/experimentConfig.ts";
import { assemble, type Federation } from "../../../src/simulation/laboratory/federation.ts";
import { resourceOf } from "../../../src/simulation/laboratory/simulateRound.ts";
import { heldOutOf, recipeOf, termsOf } from "../../../src/simulation/onChain/recipeOf.ts";
import { requireRealRuns } from "../../../src/simulation/onChain/requireRealRun.ts";

const base = {
  members: 8,
  rounds: 3,
  data: { name: "s-mix", s: 1.2, samples: 400, testSamples: 160 },
  partition: { kind: "iid" },
  model: { kind: "mlp", hidden: [4], activation: "tanh" },
  training: { localEpochs: 1, batchSize: 20, learningRate: 0.3, momentum: 0 },
};
const scored = { serverData: { validation: 40 } };
const topk = { name: "topk-int16", keep: 10, blockSize: 64 };

/** What an option changes about the run that nodes and validators get. */
interface Mapped {
  readonly change: Record<string, unknown>;
  /** What else the cell needs, with and without the change. */
  readonly beside?: Record<string, unknown>;
  readonly to: (federation: Federation) => unknown;
}

interface Refused {
  readonly change: Record<string, unknown>;
  readonly because: RegExp;
}

const recipe = (federation: Federation) => recipeOf(federation, "a run");
const terms = ({ config }: Federation) => termsOf(config);
const shards = ({ members }: Federation) => members.map(({ shard }) => [shard.features, shard.labels]);
/** Read from the cell by the laboratory's own functions, which measure the checkpoints of the run. */
const measured = ({ config }: Federation) => config.evaluate;

const OPTIONS: Readonly<Record<string, Mapped | Refused>> = {
  members: { change: { members: 7 }, to: shards },
  participation: { change: { members: 32, participation: 0.5 }, to: (federation) => terms(federation).cohort },
  rounds: { change: { rounds: 4 }, to: (federation) => terms(federation).rounds },
  schedule: { change: { schedule: { name: "fedbuff" } }, because: /work without rounds/ },
  servers: {
    change: { servers: { candidates: [{ name: "a", bandwidth: 1e6 }], choose: { name: "fixed", server: "a" } } },
    because: /validators aggregate together/,
  },
  data: { change: { data: { ...base.data, s: 2 } }, to: shards },
  partition: { change: { partition: { kind: "dirichlet", alpha: 0.3 } }, to: shards },
  shift: { change: { data: { name: "s-iot" }, shift: { after: 0.5 } }, because: /a node trains on one shard/ },
  localTest: { change: { localTest: 0.3 }, to: ({ members }) => members.map(({ test }) => test?.size) },
  model: { change: { model: { ...base.model, hidden: [5] } }, to: (federation) => recipe(federation).model },
  models: {
    change: {
      model: undefined,
      models: [base.model, { kind: "logistic" }],
      client: { name: "functional", samples: 40 },
      server: { name: "functional" },
      serverData: { samples: 40 },
    },
    because: /architectures of their own \(models\)/,
  },
  training: {
    change: { training: { ...base.training, learningRate: 0.2 } },
    to: (federation) => recipe(federation).training,
  },
  client: { change: { client: { name: "scaffold" } }, to: (federation) => recipe(federation).client },
  privacy: {
    change: {
      privacy: {
        mode: "local",
        clipNorm: 1,
        noiseMultiplier: 20,
        budget: { epsilon: 8, delta: 1e-5 },
        loss: { clip: 4, noiseMultiplier: 20 },
        pipeline: { name: "P2", errorFeedback: false },
      },
      aggregation: { rule: "uniform-mean" },
    },
    because: /noise of real members comes from secrets/,
  },
  "update.codec": { change: { update: { codec: topk } }, to: (federation) => recipe(federation).update.codec },
  "update.downlink": { change: { update: { downlink: { name: "int8", blockSize: 64 } } }, because: /downlink/ },
  "update.fractionBits": { change: { update: { fractionBits: 16 } }, to: (federation) => recipe(federation).layout },
  "update.maxCoordinate": { change: { update: { maxCoordinate: 2 } }, to: (federation) => recipe(federation).update },
  "update.maxNorm": { change: { update: { maxNorm: 20 } }, to: (federation) => recipe(federation).update },
  "update.errorFeedback": { change: { update: { codec: topk, errorFeedback: false } }, because: /errorFeedback/ },
  aggregation: {
    change: { aggregation: { rule: "coordinate-median" } },
    to: (federation) => recipe(federation).aggregation,
  },
  serverOptimiser: {
    change: { serverOptimiser: { name: "fedavgm", learningRate: 0.5, momentum: 0.9 } },
    to: (federation) => recipe(federation).serverOptimiser,
  },
  server: {
    change: { server: { name: "feddf" }, serverData: { samples: 40 } },
    because: /reads single updates in the clear/,
  },
  // Nobody but server strategies and functional aggregation looks at them, and those are refused; but members get fewer.
  "serverData.samples": { change: { serverData: { samples: 40 } }, to: shards },
  "serverData.validation": {
    change: { serverData: { validation: 40 } },
    to: (federation) => heldOutOf(federation).labels,
  },
  "scoring.method": {
    change: { ...scored, scoring: { method: "gtg" } },
    beside: { ...scored, scoring: {} },
    to: (federation) => recipe(federation).scoring,
  },
  "scoring.coalitions": {
    change: { ...scored, scoring: { coalitions: "rule" } },
    beside: { ...scored, scoring: {} },
    to: (federation) => recipe(federation).scoring,
  },
  "scoring.compare": { change: { ...scored, scoring: { compare: true } }, because: /leave scoring\.compare out/ },
  "scoring.permutations": {
    change: { ...scored, scoring: { permutations: 8 } },
    beside: { ...scored, scoring: {} },
    to: (federation) => recipe(federation).scoring,
  },
  "scoring.truncation": {
    change: { ...scored, scoring: { truncation: 0 } },
    beside: { ...scored, scoring: {} },
    to: (federation) => recipe(federation).scoring,
  },
  // Read by rules that weigh by contributions alone.
  "scoring.memory": {
    change: {
      ...scored,
      scoring: { memory: 0.1 },
      aggregation: { rule: "spfl", parameters: { weighting: "softmax" } },
    },
    because: /spfl decides from contributions/,
  },
  resources: {
    change: { resources: [5, 1.5] },
    to: ({ config, members }) => members.map(({ id }) => resourceOf(config, id)),
  },
  reputationMemory: { change: { reputationMemory: 0.5 }, to: (federation) => terms(federation).alphaQ16 },
  attack: {
    change: { attack: { name: "label-flip", count: 2 } },
    to: (federation) => [shards(federation), [...(federation.attackers?.ids ?? [])]],
  },
  "evaluate.every": { change: { evaluate: { every: 2 } }, to: measured },
  "evaluate.jacobianSamples": { change: { evaluate: { jacobianSamples: 10 } }, to: measured },
  "evaluate.marginSamples": { change: { evaluate: { marginSamples: 10 } }, to: measured },
  "evaluate.ranking": { change: { evaluate: { ranking: true } }, to: measured },
  "evaluate.own": { change: { evaluate: { own: true } }, to: measured },
};

describe("every option of a cell, with chain and store", () => {
  let engine: LearningEngine;
  before(async () => {
    engine = await createOnnxNodeEngine({ threads: 1 });
  });
  after(() => engine.dispose());

  it("is in the list, by itself or with the options of its object", () => {
    const paths = pathsOf(federationSchema);
    const isIn = (name: string, path: string): boolean => path === name || path.startsWith(`${name}.`);
    const names = Object.keys(OPTIONS);
    const missing = paths.filter((path) => !names.some((name) => isIn(name, path)));
    const unknown = names.filter((name) => !paths.some((path) => isIn(name, path)));
    assert.deepEqual({ missing, unknown }, { missing: [], unknown: [] });
  });

  for (const [path, option] of Object.entries(OPTIONS)) {
    if ("because" in option)
      it(`${path} is refused`, () => {
        assert.throws(() => requireRealRuns(cellsOf(made(option.change))), {
          code: "BAD_CONFIG",
          message: option.because,
        });
      });
    else
      it(`${path} is mapped`, async () => {
        const partOf = async (change: Record<string, unknown>): Promise<string> => {
          const [cell] = requireRealRuns(cellsOf(made(change)));
          assert.ok(cell !== undefined);
          return digestOf(option.to(await assemble(cell.config, 1, { engine, dataRoot: "/nowhere" })));
        };
        assert.notEqual(await partOf(option.change), await partOf(option.beside ?? {}));
      });
  }

  it("invites as many members as the laboratory does, whatever the last digit says", () => {
    // 0.28 · 25 = 7.000000000000001
    const [cell] = cellsOf(made({ members: 25, participation: 0.28 }));
    assert.equal(termsOf(cell?.config as FederationConfig).cohort, 7);
  });
});

function made(change: Record<string, unknown>) {
  const cell = Object.fromEntries(Object.entries({ ...base, ...change }).filter(([, value]) => value !== undefined));
  return parseExperiment({ name: "made-up", title: "Made up", seeds: [1], base: cell }, "made-up.yaml");
}

/** Names of options; those of objects that are nothing but options with a dot. */
function pathsOf(schema: z.ZodType, prefix = ""): string[] {
  const inner = unwrapped(schema);
  if (!(inner instanceof z.ZodObject) || (prefix !== "" && inner._zod.def.catchall?._zod.def.type !== "never"))
    return [prefix];
  return Object.entries(inner.shape as Record<string, z.ZodType>).flatMap(([name, option]) =>
    pathsOf(option, prefix === "" ? name : `${prefix}.${name}`),
  );
}

function unwrapped(schema: z.ZodType): z.ZodType {
  return "innerType" in schema._zod.def ? unwrapped(schema._zod.def.innerType as z.ZodType) : schema;
}

function digestOf(value: unknown): string {
  const text = JSON.stringify(value, (_, one) =>
    ArrayBuffer.isView(one) ? Buffer.from(one.buffer).toString("hex") : one,
  );
  return createHash("sha256")
    .update(text ?? "undefined")
    .digest("hex");
}
