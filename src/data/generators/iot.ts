// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import type { Random } from "../../protocol/random.ts";
import { inOrder, seriesOrder } from "../channelsFirst.ts";
import type { LoadedData, Part } from "../loadedData.ts";
import { between, clientCount, type Generator, sizes } from "./generator.ts";

const schema = z.strictObject({
  name: z.literal("s-iot"),
  ...sizes(4000, 1000),
  clients: clientCount,
  order: seriesOrder,
  steps: z.int().min(8).max(1024).default(32),
  /** Share of anomalous windows. */
  anomalies: z.number().min(0.01).max(0.99).default(0.2),
  /** How far the regimes move in `shifted`, in units of a channel's noise. 0 leaves `shifted` out. */
  shift: z.number().min(0).max(100).default(1),
});

const CHANNELS = 6;
const REGIMES = 3;
const SWITCHING = 0.03;
const WARM_UP = 20;

/** One channel in one regime: x_t = level + a (x_{t−1} − level) + b (x_{t−2} − level) + noise · ε. */
interface Autoregression {
  readonly a: number;
  readonly b: number;
  readonly level: number;
  readonly noise: number;
}

/** A device: each channel in each regime. */
type Device = readonly (readonly Autoregression[])[];

/**
 * S-IOT (spec H0): windows of six channels that switch together between three regimes of second-order autoregressions, normal (0) or
 * anomalous (1: a spike, a level shift, a stuck sensor or a burst of noise in one or two channels). Clients are devices with their
 * own levels and gains around common regimes. `shifted` is the same task after a drift of levels and noise, which an experiment switches to
 * after half its rounds.
 */
export const iot: Generator<typeof schema> = {
  schema,
  naturalClients: "the generator's devices",
  generate({ name, samples, testSamples, clients, order, steps, anomalies, shift }, random) {
    const regimes = drawRegimes(random.derive("regimes"));
    const devices = Array.from({ length: clients }, (_, client) => vary(regimes, random.derive("device", client)));
    const drifted = devices.map((device) => drift(device, shift, random.derive("drift")));
    const watch = (size: number, fleet: readonly Device[], stream: Random): Required<Part> => {
      const anomalous = Math.max(1, Math.round(anomalies * size));
      const labels = Int32Array.from(stream.permutation(size), (position) => (position < anomalous ? 1 : 0));
      const owners = Array.from({ length: size }, (_, i) => i % clients);
      const features = new Float32Array(size * steps * CHANNELS);
      for (let i = 0; i < size; i++) {
        const window = run(fleet[owners[i] as number] as Device, steps, stream);
        if (labels[i] === 1) disturb(window, steps, stream);
        features.set(window, i * steps * CHANNELS);
      }
      return { dataset: { features, labels, inputs: steps * CHANNELS, classes: 2, size }, clients: owners };
    };
    const train = watch(samples, devices, random.derive("train"));
    const test = watch(testSamples, devices, random.derive("test"));
    const data: LoadedData = {
      name,
      kind: "series",
      shape: [steps, CHANNELS],
      classNames: ["normal", "anomaly"],
      clientNames: Array.from({ length: clients }, (_, client) => `device ${client}`),
      train: train.dataset,
      test: test.dataset,
      clients: train.clients,
      testClients: test.clients,
      ...(shift > 0 && {
        shifted: {
          train: watch(samples, drifted, random.derive("shifted train")).dataset,
          test: watch(testSamples, drifted, random.derive("shifted test")).dataset,
        },
      }),
      notes: [
        `Six channels, ${steps} steps, ${anomalies} of the windows anomalous; sample i of the shifted parts has the same device as before.`,
      ],
    };
    return inOrder(data, order);
  },
};

/** Stationary: complex poles of modulus below 1, so both coefficients come from modulus and angle. */
function drawRegimes(random: Random): Device {
  return Array.from({ length: CHANNELS }, () =>
    Array.from({ length: REGIMES }, () => {
      const [modulus, angle] = [between(random, 0.5, 0.85), between(random, 0.1, 1.5)];
      return {
        a: 2 * modulus * Math.cos(angle),
        b: -modulus * modulus,
        level: between(random, -1.2, 1.2),
        noise: between(random, 0.15, 0.4),
      };
    }),
  );
}

function vary(regimes: Device, random: Random): Device {
  return regimes.map((channel) => {
    const [offset, gain] = [0.3 * random.normal(), between(random, 0.8, 1.25)];
    return channel.map(({ a, b, level, noise }) => ({ a, b, level: level + offset, noise: gain * noise }));
  });
}

/** The same drift for every device, so the shift is one of the world and not of the sample of devices. */
function drift(device: Device, size: number, random: Random): Device {
  return device.map((channel, k) => {
    const direction = random.derive(k).normal();
    return channel.map(({ a, b, level, noise }) => ({
      a,
      b,
      level: level + size * direction * 0.5,
      noise: noise * (1 + 0.2 * size),
    }));
  });
}

/** steps × 6 values, after a warm-up that forgets the start. */
function run(device: Device, steps: number, random: Random): Float64Array {
  const window = new Float64Array(steps * CHANNELS);
  let regime = random.integerBelow(REGIMES);
  const before = device.map(() => [0, 0]);
  for (let step = -WARM_UP; step < steps; step++) {
    if (random.uniform() < SWITCHING) regime = random.integerBelow(REGIMES);
    for (let k = 0; k < CHANNELS; k++) {
      const { a, b, level, noise } = (device[k] as readonly Autoregression[])[regime] as Autoregression;
      const state = before[k] as number[];
      // Deviations from the level carry over a switch, levels do not: a switch is a jump of the mean.
      const deviation = a * (state[0] as number) + b * (state[1] as number) + noise * random.normal();
      before[k] = [deviation, state[0] as number];
      if (step >= 0) window[step * CHANNELS + k] = level + deviation;
    }
  }
  return window;
}

function disturb(window: Float64Array, steps: number, random: Random): void {
  const channels = random.permutation(CHANNELS).slice(0, 1 + random.integerBelow(2));
  const start = random.integerBelow(Math.ceil(steps * 0.75));
  const kind = random.integerBelow(4);
  const size = (random.uniform() < 0.5 ? -1 : 1) * between(random, 2, 4);
  for (const k of channels) {
    const stuck = window[start * CHANNELS + k] as number;
    for (let step = start; step < steps; step++) {
      const at = step * CHANNELS + k;
      const value = window[at] as number;
      if (kind === 0) window[at] = step === start ? value + 2 * size : value;
      else if (kind === 1) window[at] = value + size;
      else if (kind === 2) window[at] = stuck;
      else window[at] = value + Math.abs(size) * 0.5 * random.normal();
    }
  }
}
