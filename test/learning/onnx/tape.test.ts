// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { emitGradient } from "../../../src/learning/onnx/emit.ts";
import { GraphBuilder, type Value } from "../../../src/learning/onnx/graph.ts";
import { Tape } from "../../../src/learning/onnx/tape.ts";
import type { ModelConfig } from "../../../src/protocol/recipe/modelConfig.ts";

describe("Tape", () => {
  const tracked = (tape: Tape, name: string, is = true) => tape.variable(tape.graph.input(name, [2]), is);

  it("plays records in reverse, once each, with the sum of what was contributed", () => {
    const tape = new Tape(new GraphBuilder());
    const x = tracked(tape, "x");
    const played: string[] = [];
    const unary = (name: string, of = x) =>
      tape.record(name as Value, [of], (dy) => {
        played.push(`${name} from ${dy}`);
        tape.contribute(of, () => `d${name}` as Value);
      });
    const a = unary("a");
    const b = unary("b", a);
    const c = unary("c", a);
    tape.contribute(b, () => "seed1" as Value);
    tape.contribute(c, () => "seed2" as Value);
    tape.backward();
    // a is read by b and c, so its cotangent is the first operator that the tape adds.
    assert.deepEqual(played, ["c from seed2", "b from seed1", "a from Add.1"]);
    assert.equal(tape.gradientOf(x), "da");
  });

  it("emits nothing towards variables that nobody asked about", () => {
    const tape = new Tape(new GraphBuilder());
    const [wanted, other] = [tracked(tape, "wanted"), tracked(tape, "other", false)];
    const unseen = tape.record("unseen" as Value, [other], () => assert.fail("no gradient leads here"));
    const y = tape.record("y" as Value, [wanted, unseen], () => {
      tape.contribute(wanted, () => "dw" as Value);
      tape.contribute(unseen, () => assert.fail("never emitted"));
    });
    tape.contribute(y, () => "seed" as Value);
    tape.backward();
    assert.equal(tape.gradientOf(wanted), "dw");
    assert.equal(tape.gradientOf(other), undefined);
  });

  it("so a head's gradient emits no backward pass of the layers below", () => {
    const config: ModelConfig = { kind: "lstm", inputs: 20, steps: 20, channels: 1, hidden: 4, layers: 1, classes: 2 };
    const options = { logitCotangent: false, featureCotangent: false, wantInputs: false, masks: false };
    const bytes = (...names: string[]): number =>
      emitGradient(config, 4, { ...options, trainable: new Set(names) }).bytes.length;
    assert.ok(bytes("head.weight", "head.bias") < 0.5 * bytes("lstm.weight_ih_l0"));
  });
});
