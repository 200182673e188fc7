// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AttackLearner } from "../../../src/simulation/attacks/attack.ts";
import { jaa } from "../../../src/simulation/attacks/jaa.ts";
import { littleIsEnough } from "../../../src/simulation/attacks/littleIsEnough.ts";
import { moments, norm, squaredDistance } from "../../../src/simulation/attacks/vectors.ts";
import { cloud, configOf, inputOf } from "./fixtures.ts";

/** Loss ½‖w‖² + base, ‖J‖² = ½‖w − 1‖²: everything about the descent can be worked out. */
const learner = (base: number): AttackLearner => ({
  classes: 3,
  loss: async (state) => ({ loss: base + 0.5 * norm(state) ** 2, gradient: state }),
  jacobianGradient: async (state) => state.map((value) => value - 1),
});
const benign = cloud("jaa", 6, 4, 0.2, 0.3);
const received = Float64Array.of(0.5, -0.5, 0.2, 0.8);
const input = { ...inputOf(benign, benign.slice(0, 2)), received };

describe("JAA", () => {
  it("one step from the LIE point goes up the loss and down the Jacobian", async () => {
    const config = configOf("jaa", { z: 1, steps: 1, alpha: 0.5, beta: 3 });
    const [lie] = littleIsEnough(configOf("lie", { z: 1 }), input);
    const [crafted] = await jaa(config, { ...input, learner: learner(0) });
    for (let j = 0; j < 4; j++) {
      const start = Math.fround((lie?.[j] as number) + (received[j] as number));
      // β does nothing at its own centre.
      const expected = (lie?.[j] as number) - 0.01 * (-start + 0.5 * (start - 1));
      assert.ok(Math.abs((crafted?.[j] as number) - expected) < 1e-6);
    }
  });

  it("no longer climbs above 2 ln C", async () => {
    const config = configOf("jaa", { z: 1, steps: 1, alpha: 0 });
    const [lie] = littleIsEnough(configOf("lie", { z: 1 }), input);
    const [crafted] = await jaa(config, { ...input, learner: learner(3) });
    assert.ok(squaredDistance(crafted as Float64Array, lie as Float64Array) < 1e-20);
  });

  it("stays within half the leeway of the LIE point", async () => {
    const [lie] = littleIsEnough(configOf("lie", { z: 1 }), input);
    const [crafted, same] = await jaa(configOf("jaa", { z: 1, learningRate: 5, beta: 0 }), {
      ...input,
      learner: learner(0),
    });
    const radius = 0.5 * norm(moments(benign).deviation);
    const distance = Math.sqrt(squaredDistance(crafted as Float64Array, lie as Float64Array));
    assert.ok(distance <= radius * (1 + 1e-9) && distance > 0.9 * radius, `${distance} of ${radius}`);
    assert.equal(crafted, same);
  });

  it("needs a learner", async () => {
    await assert.rejects(jaa(configOf("jaa"), input), { code: "BAD_CONFIG" });
  });
});
