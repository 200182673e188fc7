// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from "../protocol/errors.ts";
import type { Device } from "../protocol/wideKernels.ts";

export interface DemoOptions {
  readonly rounds: number;
  readonly nodes: number;
  readonly validators: number;
  readonly seed: string;
  /** Folder for the model, the page and the participants' files. */
  readonly out: string;
  /** Every node and validator as its own process of the operating system. */
  readonly processes: boolean;
  /** What the validators aggregate on. */
  readonly device: Device;
}

export const DEMO_DEFAULTS: DemoOptions = {
  rounds: 10,
  nodes: 5,
  validators: 4,
  seed: "foedus",
  out: "out/demo",
  processes: false,
  device: "auto",
};

/** The accuracy that ten rounds must reach; fewer rounds are too short to ask for it. */
export const DEMO_ACCURACY = { rounds: 10, atLeast: 0.85 };

export function checkDemoOptions(options: DemoOptions): DemoOptions {
  const { rounds, nodes, validators } = options;
  const within = (name: string, value: number, min: number, max: number, why: string): void => {
    if (!Number.isInteger(value) || value < min || value > max)
      throw new ConfigError(`--${name} ${value} is not possible: ${min} to ${max} (${why}).`, { [name]: value });
  };
  within("rounds", rounds, 1, 100, "each takes two to four seconds");
  within(
    "nodes",
    nodes,
    5,
    32,
    "ByzFed needs 4 accepted updates, and the demo refuses one on purpose; the largest circuit takes 32",
  );
  within("validators", validators, 4, 16, "fewer than 4 tolerate no fault, and the demo plays one");
  return options;
}
