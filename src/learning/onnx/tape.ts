// SPDX-License-Identifier: Apache-2.0
import type { GraphBuilder, Value } from "./graph.ts";

/** A value on a tape. Identity matters: gradients are gathered per variable. */
export interface Variable {
  readonly value: Value;
  /** Whether a gradient with respect to it is wanted, for itself or on the way to a parameter or input. */
  readonly tracked: boolean;
}

interface Entry {
  readonly result: Variable;
  readonly backward: (cotangent: Value) => void;
}

/**
 * Reverse-mode differentiation of a graph while it is built: each operation emits its forward operators and records how a cotangent of its
 * result becomes cotangents of its inputs; `backward` plays the records in reverse. Only what leads to a tracked variable is emitted.
 */
export class Tape {
  readonly graph: GraphBuilder;
  readonly #entries: Entry[] = [];
  readonly #gradients = new Map<Variable, Value>();

  constructor(graph: GraphBuilder) {
    this.graph = graph;
  }

  /** A parameter or an input. */
  variable(value: Value, tracked: boolean): Variable {
    return { value, tracked };
  }

  /**
   * The result of an operation.
   *
   * @param backward calls `contribute` once for each input, given the cotangent of the result.
   */
  record(value: Value, inputs: readonly Variable[], backward: (cotangent: Value) => void): Variable {
    const result = { value, tracked: inputs.some(({ tracked }) => tracked) };
    if (result.tracked) this.#entries.push({ result, backward });
    return result;
  }

  /** Adds to a variable's gradient; `gradient` emits it and is called only if the variable is tracked. */
  contribute(variable: Variable, gradient: () => Value): void {
    if (!variable.tracked) return;
    const value = gradient();
    const earlier = this.#gradients.get(variable);
    this.#gradients.set(variable, earlier === undefined ? value : this.graph.apply("Add", [earlier, value]));
  }

  /** Emits the backward pass from the cotangents contributed so far. */
  backward(): void {
    for (const { result, backward } of this.#entries.toReversed()) {
      const cotangent = this.#gradients.get(result);
      if (cotangent !== undefined) backward(cotangent);
    }
  }

  /** The gradient that `backward` left; undefined where nothing depends on the variable. */
  gradientOf(variable: Variable): Value | undefined {
    return this.#gradients.get(variable);
  }
}
