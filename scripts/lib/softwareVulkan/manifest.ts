// SPDX-License-Identifier: Apache-2.0
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";

/** Where `scripts/software-vulkan.ts` unpacks. Nothing of it is installed; deleting the folder undoes it. */
export const VULKAN_FOLDER = fileURLToPath(new URL("../../../build/vulkan/", import.meta.url));

const Manifest = z.object({
  /** Which driver, for people. */
  driver: z.string(),
  /** Variables that a process must be started with to use it: the loader of shared libraries reads them before any of our code runs. */
  environment: z.record(z.string(), z.string()),
});

export type SoftwareVulkan = z.infer<typeof Manifest>;

const FILE = "driver.json";

export const manifestFile = (folder: string): string => join(folder, FILE);

/** The unpacked driver, if there is one whose files are all still where it says. */
export function findSoftwareVulkan(folder = VULKAN_FOLDER): SoftwareVulkan | undefined {
  const file = manifestFile(folder);
  if (!existsSync(file)) return undefined;
  const manifest = Manifest.parse(JSON.parse(readFileSync(file, "utf8")));
  return Object.values(manifest.environment).every((path) => path.split(":").every((part) => existsSync(part)))
    ? manifest
    : undefined;
}
