// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import type { Random } from "../../protocol/random.ts";
import { inOrder, seriesOrder } from "../channelsFirst.ts";
import type { LoadedData, Part } from "../loadedData.ts";
import { balancedLabels, between, clientCount, type Generator, sizes } from "./generator.ts";

const schema = z.strictObject({
  name: z.literal("s-ecg"),
  ...sizes(4000, 1000),
  clients: clientCount,
  order: seriesOrder,
});

const STEPS = 128;
const LEADS = 2;
/** Samples per second: a window has 2.56 s, so two to five beats. */
const RATE = 50;
const DURATION = STEPS / RATE;
const CLASS_NAMES = ["normal", "AF-like", "PVC", "ST shift", "noise"];
const [, FIBRILLATION, PREMATURE, SHIFT, NOISE] = [0, 1, 2, 3, 4] as const;

/** A Gaussian bump: seconds after the R peak, width in seconds, height in millivolts in each lead. */
type Wave = readonly [center: number, width: number, first: number, second: number];

const P: Wave = [-0.17, 0.025, 0.15, 0.1];
const QRS: readonly Wave[] = [
  [-0.035, 0.012, -0.12, -0.05],
  [0, 0.016, 1.1, 0.6],
  [0.035, 0.014, -0.22, -0.35],
];
const T: Wave = [0.26, 0.05, 0.3, 0.2];
const PREMATURE_WAVES: readonly Wave[] = [
  [0, 0.06, 1.3, -0.9],
  [0.26, 0.08, -0.45, 0.3],
];

/** What distinguishes one client's patients and recorder. */
interface Style {
  readonly beatsPerMinute: number;
  readonly wander: number;
  readonly wanderHertz: number;
  readonly noise: number;
  readonly gain: number;
}

/**
 * S-ECG (spec H0): two leads of 128 samples at 50 Hz, each beat a sum of Gaussians for P, Q, R, S and T. Classes: normal; AF-like (no
 * P wave, irregular intervals); one premature ventricular beat (early, wide, T inverted, then a pause); ST segment shifted; noise without
 * beats. Clients differ in heart rate, baseline wander, gain and noise.
 */
export const ecg: Generator<typeof schema> = {
  schema,
  naturalClients: "the generator's clients, each with its own heart rate, wander, gain and noise",
  generate({ name, samples, testSamples, clients, order }, random) {
    const styles = Array.from({ length: clients }, (_, client): Style => {
      const stream = random.derive("style", client);
      return {
        beatsPerMinute: between(stream, 55, 105),
        wander: between(stream, 0, 0.3),
        wanderHertz: between(stream, 0.15, 0.5),
        noise: between(stream, 0.03, 0.15),
        gain: between(stream, 0.7, 1.3),
      };
    });
    const record = (size: number, stream: Random): Required<Part> => {
      const labels = Int32Array.from(balancedLabels(size, CLASS_NAMES.length, stream));
      const owners = Array.from({ length: size }, (_, i) => i % clients);
      const features = new Float32Array(size * STEPS * LEADS);
      for (let i = 0; i < size; i++)
        features.set(drawWindow(labels[i] as number, styles[owners[i] as number] as Style, stream), i * STEPS * LEADS);
      return {
        dataset: { features, labels, inputs: STEPS * LEADS, classes: CLASS_NAMES.length, size },
        clients: owners,
      };
    };
    const train = record(samples, random.derive("train"));
    const test = record(testSamples, random.derive("test"));
    const data: LoadedData = {
      name,
      kind: "series",
      shape: [STEPS, LEADS],
      classNames: CLASS_NAMES,
      clientNames: Array.from({ length: clients }, (_, client) => `client ${client}`),
      train: train.dataset,
      test: test.dataset,
      clients: train.clients,
      testClients: test.clients,
      notes: ["Two leads of 2.56 s at 50 Hz, in millivolts, step by step."],
    };
    return inOrder(data, order);
  },
};

/** 128 × 2 values, step by step. */
function drawWindow(label: number, style: Style, random: Random): Float64Array {
  const signal = new Float64Array(STEPS * LEADS);
  if (label === NOISE) addArtefact(signal, random);
  else addBeats(signal, label, style, random);
  const phase = between(random, 0, 2 * Math.PI);
  for (let step = 0; step < STEPS; step++) {
    const wander = style.wander * Math.sin(2 * Math.PI * style.wanderHertz * (step / RATE) + phase);
    for (let lead = 0; lead < LEADS; lead++) {
      const at = step * LEADS + lead;
      signal[at] = style.gain * (signal[at] as number) + wander + style.noise * random.normal();
    }
  }
  return signal;
}

function addBeats(signal: Float64Array, label: number, style: Style, random: Random): void {
  const usual = (60 / style.beatsPerMinute) * between(random, 0.92, 1.08);
  const shift = label === SHIFT ? (random.uniform() < 0.5 ? -1 : 1) * between(random, 0.15, 0.35) : 0;
  // The premature beat is one that lies well inside the window.
  let premature = label === PREMATURE ? between(random, 0.6, 1.4) : Number.POSITIVE_INFINITY;
  for (let peak = -between(random, 0, usual); peak < DURATION + usual; ) {
    const irregular = label === FIBRILLATION ? between(random, 0.55, 1.45) : between(random, 0.97, 1.03);
    let next = peak + usual * irregular;
    addWaves(signal, peak, label === FIBRILLATION ? [...QRS, T] : [P, ...QRS, T]);
    if (shift !== 0) addPlateau(signal, peak, shift);
    if (next >= premature) {
      // Early by a third of the interval, then the compensatory pause: the sinus beat after it comes when it would have come anyway.
      addWaves(signal, peak + 0.65 * usual, PREMATURE_WAVES);
      next = peak + 2 * usual;
      premature = Number.POSITIVE_INFINITY;
    }
    peak = next;
  }
  if (label === FIBRILLATION) addRipple(signal, random);
}

function addWaves(signal: Float64Array, peak: number, waves: readonly Wave[]): void {
  for (const [center, width, ...heights] of waves)
    for (let step = 0; step < STEPS; step++) {
      const z = (step / RATE - peak - center) / width;
      if (Math.abs(z) > 5) continue;
      const bump = Math.exp(-0.5 * z * z);
      for (let lead = 0; lead < LEADS; lead++) {
        const at = step * LEADS + lead;
        signal[at] = (signal[at] as number) + (heights[lead] as number) * bump;
      }
    }
}

/** The ST segment, between S and T, raised or lowered in both leads. */
function addPlateau(signal: Float64Array, peak: number, height: number): void {
  for (let step = 0; step < STEPS; step++) {
    const t = step / RATE - peak;
    if (t < 0.05 || t > 0.25) continue;
    for (let lead = 0; lead < LEADS; lead++) {
      const at = step * LEADS + lead;
      signal[at] = (signal[at] as number) + height;
    }
  }
}

/** Fibrillatory waves of 5 to 8 Hz in place of P. */
function addRipple(signal: Float64Array, random: Random): void {
  const [hertz, phase] = [between(random, 5, 8), between(random, 0, 2 * Math.PI)];
  for (let i = 0; i < signal.length; i++)
    signal[i] = (signal[i] as number) + 0.05 * Math.sin(2 * Math.PI * hertz * (Math.floor(i / LEADS) / RATE) + phase);
}

/** Electrode motion and muscle noise: a first-order random walk that is pulled back to 0. */
function addArtefact(signal: Float64Array, random: Random): void {
  const [memory, size] = [between(random, 0.5, 0.95), between(random, 0.15, 0.5)];
  for (let i = 0; i < signal.length; i++)
    signal[i] = memory * (i < LEADS ? 0 : (signal[i - LEADS] as number)) + size * random.normal();
}
