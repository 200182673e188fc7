// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from "../../protocol/errors.ts";
import type { AttackLearner, CraftInput, Vector } from "./attack.ts";
import type { ConfigOf } from "./attackConfig.ts";
import { leewayOf } from "./littleIsEnough.ts";
import { addScaled, moments, norm } from "./vectors.ts";

/**
 * The Jacobian-aware attack (spec G9): starts from the LIE point θ* = w^t + μ − zσ and descends
 *
 *     −min(CE(θ), 2 ln C) + α‖J(θ)‖_F² + β‖θ − θ*‖²,
 *
 * staying within ½‖zσ‖ of θ*: harmful, and stable in the sense in which MSDFL's defence makes honest models stable. The loss term is ours; Doc2
 * leaves it undefined, and its apparent meaning would repeat the last term.
 *
 * @throws ConfigError without a learner.
 */
export async function jaa(config: ConfigOf<"jaa">, input: CraftInput): Promise<readonly Vector[]> {
  const { benign, own, members, received, learner, random } = input;
  if (learner === undefined) throw new ConfigError("The attack jaa optimises a model, so it needs a learner.");
  const z = leewayOf(config.z, members, own.length);
  const { mean, deviation } = moments(benign);
  const target = addScaled(addScaled(mean, -z, deviation), 1, received);
  const radius = 0.5 * z * norm(deviation);
  let theta: Float64Array = target;
  for (let step = 0; step < config.steps && radius > 0; step++) {
    const gradient = await gradientAt(theta, target, config, learner, random.derive("jaa", step));
    theta = intoBall(addScaled(theta, -config.learningRate, gradient), target, radius);
  }
  const crafted = addScaled(theta, -1, received);
  return own.map(() => crafted);
}

async function gradientAt(
  theta: Float64Array,
  target: Float64Array,
  { alpha, beta }: ConfigOf<"jaa">,
  learner: AttackLearner,
  random: CraftInput["random"],
): Promise<Float64Array> {
  const state = Float32Array.from(theta);
  const { loss, gradient } = await learner.loss(state);
  const stability = await learner.jacobianGradient(state, random);
  const harm = loss < 2 * Math.log(learner.classes) ? 1 : 0;
  return theta.map(
    (value, j) =>
      -harm * (gradient[j] as number) + alpha * (stability[j] as number) + 2 * beta * (value - (target[j] as number)),
  );
}

function intoBall(point: Float64Array, centre: Float64Array, radius: number): Float64Array {
  const offset = addScaled(point, -1, centre);
  const length = norm(offset);
  return length <= radius ? point : addScaled(centre, radius / length, offset);
}
