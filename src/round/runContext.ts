// SPDX-License-Identifier: Apache-2.0
import { ruleIdOf } from "../aggregation/rules.ts";
import type { ProofDomain } from "../protocol/attestation.ts";
import { SCORING } from "../protocol/attestedScores.ts";
import type { Hex } from "../protocol/bytes.ts";
import { contentIdOfDigest } from "../protocol/contentId.ts";
import type { ContentStore } from "../protocol/contentStore.ts";
import { FoedusError } from "../protocol/errors.ts";
import type { ModelLayout } from "../protocol/layout.ts";
import type { LedgerAddresses, LedgerReader, RunParams } from "../protocol/ledger.ts";
import { decodeRecipe, MAX_RECIPE_BYTES, type Recipe } from "../protocol/recipe.ts";

/** What stays the same through a run, checked once against the chain. */
export interface RunContext {
  readonly run: bigint;
  readonly chainId: bigint;
  readonly addresses: LedgerAddresses;
  readonly params: RunParams;
  readonly paramsDigest: Hex;
  readonly recipe: Recipe;
  readonly layout: ModelLayout;
  /** Slots of the loss circuit that the run's verifier takes proofs of. */
  readonly circuitCapacity: number;
}

/** The run's parameters from the chain and its recipe from the store, held against each other. */
export async function loadRunContext(
  ledger: LedgerReader,
  store: ContentStore,
  run: bigint,
  options: { signal?: AbortSignal; timeoutMs?: number } = {},
): Promise<RunContext> {
  const { params, paramsDigest } = await ledger.runView(run);
  const bytes = await store.get(contentIdOfDigest(params.recipeCid), { maxBytes: MAX_RECIPE_BYTES, ...options });
  const { recipe, layout, digest } = decodeRecipe(bytes);
  if (digest !== params.recipeDigest) {
    throw new FoedusError(
      "RECIPE_MISMATCH",
      `Run ${run} names recipe ${params.recipeDigest}; the store's recipe has digest ${digest}.`,
      {
        values: { expected: params.recipeDigest, actual: digest },
      },
    );
  }
  const rule = ruleIdOf(recipe.aggregation);
  if (rule !== params.ruleId) {
    throw new FoedusError(
      "RECIPE_MISMATCH",
      `The recipe's rule "${recipe.aggregation.rule}" has id ${rule}; run ${run} on chain has ${params.ruleId}.`,
    );
  }
  if (SCORING[recipe.scoring.mode] !== params.scoring) {
    throw new FoedusError(
      "RECIPE_MISMATCH",
      `The recipe's scoring is ${recipe.scoring.mode}; run ${run} on chain has scoring ${params.scoring} (0 exact, 1 attested).`,
    );
  }
  const circuitCapacity = await ledger.circuitCapacity(params.verifier);
  return {
    run,
    chainId: ledger.chainId,
    addresses: ledger.addresses,
    params,
    paramsDigest,
    recipe,
    layout,
    circuitCapacity,
  };
}

export function proofDomain(context: RunContext): ProofDomain {
  return { chainId: context.chainId, proofOfTraining: context.addresses.proofOfTraining };
}
