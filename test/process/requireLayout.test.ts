// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parameterLayout } from "../../src/learning/layout.ts";
import { requireLayout } from "../../src/process/requireLayout.ts";
import { FoedusError } from "../../src/protocol/errors.ts";
import { modelLayout, type TensorSpec } from "../../src/protocol/layout.ts";

const model = { layout: parameterLayout({ kind: "mlp", inputs: 4, hidden: [3], classes: 2, activation: "relu" }) };
const specs = model.layout.map(({ name, shape }): TensorSpec => ({ name, shape, fractionBits: 18, group: 0 }));
const require = (tensors: readonly TensorSpec[]): void => requireLayout({ layout: modelLayout(tensors) }, model);
const control = { name: "scaffold.control", shape: [20] };

describe("requireLayout", () => {
  it("takes the engine's own order", () => require(specs));

  it("takes what the client algorithm sends beside the model, after it and nowhere else", () => {
    const beside: TensorSpec = { ...control, fractionBits: 18, group: 0 };
    const take = (tensors: readonly TensorSpec[]) => requireLayout({ layout: modelLayout(tensors) }, model, [control]);
    take([...specs, beside]);
    for (const wrong of [specs, [beside, ...specs], [...specs, { ...beside, shape: [19] }]])
      assert.throws(() => take(wrong), { code: "RECIPE_MISMATCH" });
    assert.throws(() => require([...specs, beside]), { code: "RECIPE_MISMATCH" });
  });

  it("refuses another order, shape or number of tensors, and says where", () => {
    const [first, second, ...rest] = specs as [TensorSpec, TensorSpec, ...TensorSpec[]];
    for (const [damage, tensors, place] of [
      ["swapped", [second, first, ...rest], 0],
      ["transposed", [{ ...first, shape: [...first.shape].reverse() }, second, ...rest], 0],
      ["one missing", specs.slice(0, -1), specs.length - 1],
      ["one more", [...specs, { ...first, name: "more" }], specs.length],
    ] as const) {
      assert.throws(
        () => require(tensors),
        (error: unknown) =>
          error instanceof FoedusError && error.code === "RECIPE_MISMATCH" && error.values.place === place,
        damage,
      );
    }
  });
});
