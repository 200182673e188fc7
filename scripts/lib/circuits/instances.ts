// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ConfigError } from "../../../src/protocol/errors.ts";

/** One row of circuits/circuits.json: a template with its parameters. */
export interface CircuitInstance {
  readonly name: string;
  /** Path below circuits/, without extension. */
  readonly file: string;
  readonly template: string;
  readonly params: readonly number[];
  /** Public inputs in the order in which the template declares them, which is their order in a proof. */
  readonly publicSignals: readonly string[];
}

/** The instances of circuits/circuits.json below `root`, in its order. @throws ConfigError for a row of another form. */
export function readCircuitInstances(root: string): CircuitInstance[] {
  const table = JSON.parse(readFileSync(join(root, "circuits/circuits.json"), "utf8")) as Record<
    string,
    Omit<CircuitInstance, "name">
  >;
  return Object.entries(table).map(([name, row]) => {
    if (
      typeof row.file !== "string" ||
      typeof row.template !== "string" ||
      !Array.isArray(row.params) ||
      !Array.isArray(row.publicSignals)
    ) {
      throw new ConfigError(`circuits/circuits.json: ${name} needs file, template, params and publicSignals.`, {
        name,
      });
    }
    return { name, ...row };
  });
}

/** The row called `name`. @throws ConfigError when there is none. */
export function findCircuitInstance(root: string, name: string): CircuitInstance {
  const instances = readCircuitInstances(root);
  const found = instances.find((instance) => instance.name === name);
  if (found === undefined) {
    throw new ConfigError(
      `circuits/circuits.json has no circuit "${name}". It has ${instances.map((instance) => instance.name).join(", ")}.`,
      { name },
    );
  }
  return found;
}

/** The main component of an instance: what circom compiles. */
export function mainComponent({ file, template, params, publicSignals }: CircuitInstance): string {
  return [
    "pragma circom 2.1.6;",
    `include "circuits/${file}.circom";`,
    `component main {public [${publicSignals.join(", ")}]} = ${template}(${params.join(", ")});`,
    "",
  ].join("\n");
}
