// SPDX-License-Identifier: Apache-2.0
import type { Model } from "../../../learning/model.ts";
import { ConfigError } from "../../../protocol/errors.ts";
import type { Random } from "../../../protocol/random.ts";
import type { ServerStrategy } from "../strategy.ts";
import { checkUpdates, head, moved } from "../vectors.ts";
import { type DiffusionTraining, invertAndDenoise, type NoiseEstimate, trainDenoiser } from "./diffusion.ts";
import { type LatentSpace, principalComponents } from "./principalComponents.ts";

export interface PFedGpaOptions {
  /** Tensors that are personalised; the last layer when left out. */
  readonly tensors?: readonly string[] | undefined;
  /** How many rounds of members' vectors are learned from. */
  readonly windowRounds: number;
  /** Fewer vectors than this: plain aggregation. */
  readonly minVectors: number;
  /** r at most. */
  readonly components: number;
  /** κ: how far towards noise, as a share of the diffusion's steps. */
  readonly kappa: number;
  /** `pca` is the ablation: members lose what lies outside the components, and no diffusion model is trained. */
  readonly mode: "diffusion" | "pca";
  readonly training: DiffusionTraining;
}

export interface PFedGpaState {
  /** The members' blocks of past rounds, newest last. */
  readonly rounds: readonly (readonly Float64Array[])[];
}

/** Most coordinates that a diffusion model is asked to speak of. */
export const LARGEST_BLOCK = 20_000;

/**
 * Personalised models by a diffusion model over parameters (the core of pFedGPA, Lai et al. 2025; spec E22), restricted to a block of at most
 * 20 000 parameters: the members' blocks of the last rounds are standardised and reduced to r principal components; a DDPM learns their
 * distribution; each member's point is taken towards noise and back, and what that changed is added to the member's own block (so what lies outside
 * the components stays the member's).
 *
 * Components are fitted anew every round, and last round's network would speak of other coordinates: both directions use the newly trained one.
 *
 * With tens of members this is a shrinkage towards a low-dimensional set; compare with `mode: "pca"`. The global model moves by the base
 * aggregation; `personal` has each member's model: the new global one with its own block.
 *
 * @throws ConfigError for a tensor the model does not have, or a block beyond 20 000 parameters.
 */
export function pFedGpa(model: Model, options: PFedGpaOptions): ServerStrategy<PFedGpaState> {
  const places = blockPlaces(model, options.tensors);
  return {
    initial: { rounds: [] },
    async aggregate({ rounds }, { parameters, updates, random, base }) {
      checkUpdates(updates, model.parameterCount);
      const result = await base(updates);
      const trusted = updates.filter((_, k) => result.kept[k] === true);
      const blocks = trusted.map(({ delta }) =>
        Float64Array.from(places, (j) => (parameters[j] as number) + (delta[j] as number)),
      );
      const state = { rounds: [...rounds, blocks].slice(-options.windowRounds) };
      const vectors = state.rounds.flat();
      if (vectors.length < Math.max(2, options.minVectors))
        return { state, outcome: { ...result, diagnostics: { vectors: vectors.length } } };

      const space = principalComponents(vectors, options.components, random);
      const { renew, error } = renewalOf(space, vectors, options, random);
      const next = moved(head(parameters, model.parameterCount), result.delta);
      const personal = new Map(
        trusted.map(({ member }, k) => {
          const own = next.slice();
          for (const [place, value] of renew(blocks[k] as Float64Array).entries()) own[places[place] as number] = value;
          return [member, own] as const;
        }),
      );
      const diagnostics = {
        vectors: vectors.length,
        components: space.dimensions,
        explained: space.explained,
        ...(error === undefined ? {} : { denoisingError: error }),
      };
      return { state, outcome: { ...result, diagnostics, personal } };
    },
  };
}

/** How one member's block is renewed, and the diffusion model's error where there is one. */
function renewalOf(
  space: LatentSpace,
  vectors: readonly Float64Array[],
  { mode, training, kappa }: PFedGpaOptions,
  random: Random,
): { readonly renew: (block: Float64Array) => Float64Array; readonly error?: number } {
  if (space.dimensions === 0) return { renew: (block) => block };
  if (mode === "pca") return { renew: space.project };
  const { estimate, error } = trainDenoiser(vectors.map(space.encode), training, random);
  return { renew: (block) => renewed(block, space, estimate, kappa), error };
}

function renewed(block: Float64Array, space: LatentSpace, estimate: NoiseEstimate, kappa: number): Float64Array {
  const point = space.encode(block);
  const back = invertAndDenoise(point, estimate, kappa);
  const change = space.decodeChange(back.map((value, c) => value - (point[c] as number)));
  return block.map((value, j) => value + (change[j] as number));
}

function blockPlaces(model: Model, names: readonly string[] | undefined): readonly number[] {
  const missing = names?.find((name) => !model.layout.some((tensor) => tensor.name === name));
  if (missing !== undefined)
    throw new ConfigError(
      `pFedGPA is to personalise ${missing}, which the model does not have. It has ${model.layout.map(({ name }) => name).join(", ")}.`,
    );
  const places = model.layout
    .filter(({ name, head }) => names?.includes(name) ?? head)
    .flatMap(({ offset, size }) => Array.from({ length: size }, (_, j) => offset + j));
  if (places.length === 0 || places.length > LARGEST_BLOCK)
    throw new ConfigError(
      `pFedGPA's block has ${places.length} parameters; 1 to ${LARGEST_BLOCK} are possible. Name other tensors.`,
      { size: places.length },
    );
  return places;
}
