// SPDX-License-Identifier: Apache-2.0
import type { Batch, Mode, Model, OptimiserState, StepOptions, StepResult } from "../model.ts";

/** v' = β·v + g, w' = w − η·v' (without momentum v' = v, w' = w − η·g), each operation rounded to float32, as engines' fused steps do. */
export function heavyBall(state: OptimiserState, gradient: Float32Array, options: StepOptions): OptimiserState {
  const momentum = Math.fround(options.momentum);
  const learningRate = Math.fround(options.learningRate);
  const parameters = new Float32Array(gradient.length);
  // Products and sums of two float32 are exact or innocuously rounded in float64, so one fround is the float32 result.
  let velocity = state.velocity;
  let direction = gradient;
  if (options.momentum !== 0) {
    velocity = new Float32Array(gradient.length);
    direction = velocity;
    for (let i = 0; i < gradient.length; i++)
      velocity[i] = Math.fround(momentum * (state.velocity[i] as number)) + (gradient[i] as number);
  }
  for (let i = 0; i < gradient.length; i++)
    parameters[i] = (state.parameters[i] as number) - Math.fround(learningRate * (direction[i] as number));
  return { parameters, velocity };
}

/** `Model.step` from `valueAndGradient`, for engines without a fused step. */
export function composedStep(model: Model): NonNullable<Model["step"]> {
  return async (state: OptimiserState, batch: Batch, options: StepOptions, mode: Mode): Promise<StepResult> => {
    const { loss, gradient } = await model.valueAndGradient(state.parameters, batch, {}, mode);
    return { ...heavyBall(state, gradient, options), loss };
  };
}
