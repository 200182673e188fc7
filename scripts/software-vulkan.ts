// SPDX-License-Identifier: Apache-2.0
import { runScript, script } from "./lib/script.ts";
import { unpackSoftwareVulkan } from "./lib/softwareVulkan/unpackSoftwareVulkan.ts";

await runScript<{ json?: boolean }>(
  script(
    "software-vulkan",
    "Fetch a Vulkan driver that computes on the processor, so that the gpu backend can be tried and tested without a GPU. It is unpacked into\nbuild/vulkan from Debian's packages and not installed; an unpacked one that works is used again.",
    ["", '--json | jq -r ".environment"'],
  ),
  async () => {
    const { driver, environment } = await unpackSoftwareVulkan((line) => process.stderr.write(`${line}\n`));
    const settings = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
    return { json: { driver, environment }, text: [driver, "", "Start processes with:", ...settings] };
  },
);
