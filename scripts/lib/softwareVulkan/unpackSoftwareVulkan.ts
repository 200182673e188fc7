// SPDX-License-Identifier: Apache-2.0
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { probeAdapter } from "../../../src/kernels/gpu/probeAdapter.ts";
import { ConfigError } from "../../../src/protocol/errors.ts";
import { DebianPackages } from "./debian.ts";
import { findSoftwareVulkan, manifestFile, type SoftwareVulkan, VULKAN_FOLDER } from "./manifest.ts";

interface Driver {
  readonly name: string;
  /** The driver's shared library, wherever its package puts it. */
  readonly library: string;
  unpack(packages: DebianPackages, root: string): Promise<void>;
}

/** The faster first. Debian 12's own Mesa lacks what Dawn demands, so Mesa comes from backports. */
const DRIVERS: readonly Driver[] = [
  {
    name: "lavapipe",
    library: "libvulkan_lvp.so",
    unpack: (packages, root) => packages.unpack(["mesa-vulkan-drivers", "libvulkan1"], root, "backports"),
  },
  {
    name: "SwiftShader",
    library: "libvk_swiftshader.so",
    unpack: async (packages, root) => {
      await packages.unpack(["libvulkan1"], root, "release");
      // Chromium's dependencies are many, and its software driver needs none of them.
      await packages.unpackAlone("chromium-common", root);
    },
  },
];

/**
 * A software Vulkan driver for this machine: the one that is unpacked already, else the first that can be fetched and that Dawn accepts.
 *
 * @param note told of each step
 * @throws ConfigError when none works, with the reason for each
 */
export async function unpackSoftwareVulkan(
  note: (line: string) => void,
  {
    folder = VULKAN_FOLDER,
    names = DRIVERS.map(({ name }) => name),
  }: { folder?: string; names?: readonly string[] } = {},
): Promise<SoftwareVulkan> {
  const found = findSoftwareVulkan(folder);
  if (found !== undefined) return found;
  rmSync(folder, { recursive: true, force: true });
  note("reading Debian's package lists");
  const packages = await DebianPackages.open(folder);
  const reasons: string[] = [];
  for (const driver of DRIVERS.filter(({ name }) => names.includes(name))) {
    note(`fetching ${driver.name}`);
    try {
      const manifest = await tryDriver(driver, packages, folder);
      for (const used of ["lists", "archives", "pkgcache.bin", "srcpkgcache.bin"])
        rmSync(join(folder, used), { recursive: true, force: true });
      return manifest;
    } catch (error) {
      reasons.push(`${driver.name}: ${error instanceof Error ? error.message.trim() : String(error)}`);
    }
  }
  throw new ConfigError(`No software Vulkan driver works here. ${reasons.join(" ")}`);
}

async function tryDriver(
  { name, library, unpack }: Driver,
  packages: DebianPackages,
  folder: string,
): Promise<SoftwareVulkan> {
  const root = join(folder, name);
  await unpack(packages, root);
  const driver = locate(root, library);
  if (driver === undefined) throw new ConfigError(`${library} is not in the packages that were fetched.`);
  const icd = join(folder, `${name}.json`);
  const description = { file_format_version: "1.0.0", ICD: { api_version: "1.1.0", library_path: driver } };
  writeFileSync(icd, `${JSON.stringify(description)}\n`);
  // The loader of drivers comes along unless the machine has it.
  const libraries = [driver, locate(root, "libvulkan.so.1")].flatMap((file) =>
    file === undefined ? [] : [dirname(file)],
  );
  const environment = { VK_DRIVER_FILES: icd, LD_LIBRARY_PATH: [...new Set(libraries)].join(delimiter) };
  const adapter = await probeAdapter({ ...process.env, ...environment });
  const manifest = { driver: adapter.name, environment };
  writeFileSync(manifestFile(folder), `${JSON.stringify(manifest, null, 2)}\n`);
  return manifest;
}

/** The file of a name, anywhere below a folder. */
function locate(folder: string, name: string): string | undefined {
  const found = readdirSync(folder, { recursive: true, encoding: "utf8" }).find(
    (path) => path === name || path.endsWith(`/${name}`),
  );
  return found === undefined ? undefined : join(folder, found);
}
