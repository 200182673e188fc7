// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { moveMaster } from "../../aggregation/moveMaster.ts";
import { dataSchema, loadData, partition, partitionSchema } from "../../data/dataConfig.ts";
import { subset } from "../../data/subset.ts";
import type { LocalAlgorithm } from "../../learning/algorithms/localAlgorithm.ts";
import { initialState, localAlgorithm } from "../../learning/algorithms/table.ts";
import { accuracy } from "../../learning/evaluate.ts";
import { initialiseParameters } from "../../learning/layout.ts";
import type { Model } from "../../learning/model.ts";
import { masterFromFloat, powerOfTwo, splitMaster } from "../../protocol/grid.ts";
import { modelLayout } from "../../protocol/layout.ts";
import { keyedRandom, type Random } from "../../protocol/random.ts";
import { type ClientConfig, clientSchema } from "../../protocol/recipe/clientConfig.ts";
import { codecSchema } from "../../protocol/recipe/codecConfig.ts";
import { movementOnGrid } from "../../round/serverLearning/movementOnGrid.ts";
import { denseBytes, uploadBytes } from "../../update/byteAccounting.ts";
import { requireProduct } from "../../update/lowRank.ts";
import { prepareUpdate } from "../../update/prepareUpdate.ts";
import { emptyResidual } from "../../update/residual.ts";
import { movedByMean, trainAll } from "./averagedRounds.ts";
import type { Study } from "./study.ts";

export const peftSchema = z.strictObject({
  name: z.literal("peft"),
  method: z.enum(["full", "naive", "freezeA", "stack", "svd", "partial", "adapters"]),
  rank: z.int().min(1).max(64).default(4),
  alpha: z.number().positive().max(1e4).default(8),
  /** Of `partial`: shared coordinates of an upload. */
  budget: z.int().min(1).max(1_000_000).default(3_000),
  /** Of `adapters`: their bottleneck. */
  width: z.int().min(1).max(1_024).default(4),
  codec: codecSchema.prefault({ name: "int16", blockSize: 64 }),
  data: dataSchema.prefault({ name: "s-mix", s: 0.55, samples: 3_000, testSamples: 1_000 }),
  partition: partitionSchema.prefault({ kind: "dirichlet", alpha: 0.5 }),
  /** Samples on which the model is trained before it is adapted; no member has them. */
  pretraining: z.int().min(20).max(100_000).default(300),
  members: z.int().min(2).max(100).default(10),
  hidden: z.int().min(8).max(4_096).default(256),
  rounds: z.int().min(1).max(1_000).default(20),
  learningRate: z.number().positive().max(10).default(0.05),
});

const FRACTION_BITS = 18;

/**
 * S-PEFT (spec B15): a trained model is adapted by a federation that sends less than all of it. Uploads are coded as a node codes them, on the run's
 * exact grid, with error feedback; tensors that do not move are zeros, which compress.
 *
 * `bytesShare`: bytes of an upload over those of the trained model (without adapters) in float32. `startAccuracy` and `reachedAccuracy` of the adapted model on test samples, and `gained`, their difference.
 * `meanError`: how far the model after averaging is from the mean of the members' adapted models, over the length of that mean's movement, before
 * coding; the largest of all rounds. 0, up to float32, is an exact mean.
 */
export const peft: Study<z.output<typeof peftSchema>> = async (options, seed, { engine, dataRoot, signal }) => {
  const random = keyedRandom("foedus.study.peft", seed);
  const data = await loadData(options.data, { root: dataRoot, seed: `peft ${seed}` });
  const { inputs, classes } = data.train;
  const config = { kind: "mlp" as const, inputs, hidden: [options.hidden], classes, activation: "relu" as const };
  const trained = await engine.load(config);
  const model =
    options.method === "adapters" ? await engine.load({ ...config, adapters: { width: options.width } }) : trained;
  const order = random.derive("pretraining samples").permutation(data.train.size);
  const before = subset(data.train, order.slice(0, options.pretraining));
  const rest = { ...data, clients: undefined, train: subset(data.train, order.slice(options.pretraining)) };
  const shards = partition(
    { name: rest.name, train: rest.train },
    options.members,
    options.partition,
    random.derive("partition"),
  );
  const samples = shards.map(({ size }) => size);

  const plan = { localEpochs: 1, batchSize: 20, learningRate: options.learningRate, momentum: 0 };
  const algorithm = localAlgorithm(clientOf(options), plan, model);
  const base = await pretrained(trained, before, random);
  const initial = initialState(placed(base, trained, model, random), algorithm.auxiliary);
  const layout = modelLayout(
    [...model.layout, ...algorithm.auxiliary].map(({ name, shape }) => ({
      name,
      shape: [...shape],
      fractionBits: FRACTION_BITS,
      group: 0,
    })),
  );
  requireProduct(layout.tensors, options.codec);
  const unit = powerOfTwo(-FRACTION_BITS);
  const bounds = { maxCoordinate: 16_777_215, maxNormSq: 1n << 80n };
  let master = masterFromFloat(initial, layout);
  const stateOf = (): Float32Array => splitMaster(master, layout).view;
  const residuals = shards.map(() => emptyResidual(layout));
  const startAccuracy = await accuracy(model, await adapted(algorithm, model, stateOf()), data.test);
  let [bytes, meanError] = [0, 0];
  for (let round = 1; round <= options.rounds; round++) {
    signal?.throwIfAborted();
    const state = stateOf();
    const outcomes = await trainAll({ round, state, shards, algorithm: () => algorithm, random });
    const deltas = outcomes.map(({ delta }) => delta);
    meanError = Math.max(meanError, await errorOfMean(algorithm, model, state, deltas, samples));
    const decoded = deltas.map((delta, i) => {
      const upload = prepareUpdate({
        delta,
        silent: outcomes[i]?.silent,
        residual: residuals[i] as Float64Array,
        master,
        layout,
        codec: options.codec,
        bounds,
        place: { run: 1n, round },
        random: random.derive("rounding", round, i),
      });
      residuals[i] = upload.nextResidual;
      bytes += uploadBytes(upload.payload.length);
      return Float64Array.from(upload.decoded, (q: number) => q * unit);
    });
    const movement = weightedMean(decoded, samples);
    master = moveMaster(master, movementOnGrid(movement, layout), 0, layout);
  }
  const reachedAccuracy = await accuracy(model, await adapted(algorithm, model, stateOf()), data.test);
  return {
    bytesShare: bytes / (options.rounds * options.members * uploadBytes(denseBytes(trained.parameterCount))),
    startAccuracy,
    reachedAccuracy,
    gained: reachedAccuracy - startAccuracy,
    meanError,
  };
};

function clientOf({ method, rank, alpha, budget }: z.output<typeof peftSchema>): ClientConfig {
  if (method === "full") return clientSchema.parse({ name: "fedavg" });
  if (method === "adapters") return clientSchema.parse({ name: "adapters" });
  if (method === "partial") return clientSchema.parse({ name: "partial", budget });
  return clientSchema.parse({ name: "lora", mode: method, rank, alpha });
}

/** Ten passes over the samples. */
async function pretrained(model: Model, shard: Parameters<typeof subset>[0], random: Random): Promise<Float32Array> {
  const plan = { localEpochs: 10, batchSize: 20, learningRate: 0.05, momentum: 0 };
  const state = initialiseParameters(model.config, random);
  const task = { round: 1, state, shard, random: random.derive("pretraining"), local: {}, participation: 1 };
  const { delta } = await localAlgorithm(undefined, plan, model).train(task);
  return movedByMean(state, [delta], [1]);
}

/** The trained model's tensors in the places of the model that is adapted, whose other tensors start as they do: adapters that change nothing. */
function placed(parameters: Float32Array, from: Model, to: Model, random: Random): Float32Array {
  const result = initialiseParameters(to.config, random);
  const places = new Map(from.layout.map((tensor) => [tensor.name, tensor]));
  for (const { name, offset } of to.layout) {
    const own = places.get(name);
    if (own !== undefined) result.set(parameters.subarray(own.offset, own.offset + own.size), offset);
  }
  return result;
}

/** The model that a state stands for: the factors folded in. */
async function adapted(algorithm: LocalAlgorithm, model: Model, state: Float32Array): Promise<Float32Array> {
  if (algorithm.personalise === undefined) return state.subarray(0, model.parameterCount);
  const nobody = { features: new Float32Array(0), labels: new Int32Array(0), size: 0 };
  const shard = { ...nobody, inputs: model.config.inputs, classes: model.config.classes };
  const random = keyedRandom("adapted");
  return algorithm.personalise({ round: 0, state, shard, random, local: {}, participation: 1 });
}

async function errorOfMean(
  algorithm: LocalAlgorithm,
  model: Model,
  state: Float32Array,
  deltas: readonly Float32Array[],
  samples: readonly number[],
): Promise<number> {
  const before = await adapted(algorithm, model, state);
  const movements: Float64Array[] = [];
  for (const delta of deltas) {
    const own = await adapted(
      algorithm,
      model,
      state.map((value, j) => value + (delta[j] as number)),
    );
    movements.push(Float64Array.from(own, (value, j) => value - (before[j] as number)));
  }
  const after = await adapted(algorithm, model, movedByMean(state, deltas, samples));
  const wanted = weightedMean(movements, samples);
  let [off, length] = [0, 0];
  for (const [j, value] of wanted.entries()) {
    const difference = (after[j] as number) - (before[j] as number) - value;
    off += difference * difference;
    length += value * value;
  }
  return length === 0 ? 0 : Math.sqrt(off / length);
}

function weightedMean(vectors: readonly Float64Array[], samples: readonly number[]): Float64Array {
  const total = samples.reduce((sum, count) => sum + count, 0);
  return (vectors[0] as Float64Array).map((_, j) =>
    vectors.reduce((sum, vector, i) => sum + ((samples[i] as number) / total) * (vector[j] as number), 0),
  );
}
