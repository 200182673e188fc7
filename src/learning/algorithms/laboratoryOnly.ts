// SPDX-License-Identifier: Apache-2.0
import type { ClientConfig } from "../../protocol/recipe/clientConfig.ts";

/**
 * Why a client algorithm makes no run on a chain; undefined for those that do.
 *
 * @param tensors names of the run's tensors.
 */
export function laboratoryOnly(client: ClientConfig | undefined, tensors: readonly string[]): string | undefined {
  if (client?.name === "partial" && tensors.every((name) => client.local.includes(name)))
    return "All tensors are local, so members would train alone and the run's model would stand still. Name fewer, or take the laboratory (foedus simulate).";
  if (client?.name === "functional")
    return 'Client algorithm "functional" moves predictions and no model, so a run would have nothing to score and no unlabelled set is published with it. It is for the laboratory (foedus simulate).';
  if (client?.name === "lora" && client.mode !== "stack")
    return `LoRA's mode "${client.mode}" leaves the model's own coordinates as they are, which are what validators score: every score would be 0. Take mode "stack", or the laboratory (foedus simulate).`;
  return undefined;
}
