// SPDX-License-Identifier: Apache-2.0
import { findSoftwareVulkan } from "../../../scripts/lib/softwareVulkan/manifest.ts";
import { probeAdapter } from "../../../src/kernels/gpu/probeAdapter.ts";

/** Says that a process was started with a driver's environment. */
const STARTED = "FOEDUS_TEST_DRIVER";

/**
 * Gives this test file a GPU: the software driver that `scripts/software-vulkan.ts` unpacked, else whatever the machine has.
 *
 * A driver's libraries are found by variables that a process must be started with. So this process starts itself again, once, in place: to the
 * test runner it stays the same process.
 *
 * @returns false, or why these tests cannot run
 */
export async function driverIsMissing(): Promise<string | false> {
  const unpacked = findSoftwareVulkan();
  if (unpacked !== undefined && process.env[STARTED] === undefined && process.execve !== undefined) {
    const { environment, driver } = unpacked;
    const env = Object.entries({ ...process.env, ...environment, [STARTED]: driver });
    process.execve(
      process.execPath,
      [process.execPath, "--disable-warning=ExperimentalWarning", ...process.execArgv, ...process.argv.slice(1)],
      Object.fromEntries(env.filter((pair): pair is [string, string] => pair[1] !== undefined)),
    );
  }
  try {
    await probeAdapter();
    return false;
  } catch (error) {
    if (unpacked !== undefined) throw error;
    return `${(error as Error).message} Or a software driver for tests: node scripts/software-vulkan.ts`;
  }
}
