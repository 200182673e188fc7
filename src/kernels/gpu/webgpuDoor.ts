// SPDX-License-Identifier: Apache-2.0
import type * as Webgpu from "webgpu";
import { gpuUnavailable } from "./unavailable.ts";

/** Flags of WebGPU that browsers have as globals. */
export interface WebgpuFlags {
  readonly GPUBufferUsage: typeof GPUBufferUsage;
  readonly GPUMapMode: typeof GPUMapMode;
}

export interface WebgpuDoor {
  readonly gpu: GPU;
  readonly flags: WebgpuFlags;
}

// Dawn's instance must stay reachable until the process ends: when it is collected while anything made from it lives, the process crashes.
let opened: WebgpuDoor | undefined;

/**
 * WebGPU as Dawn implements it, by the optional package `webgpu`.
 *
 * @throws KernelError GPU_UNAVAILABLE when the package is not installed or does not load on this platform.
 */
export async function openWebgpu(
  load: () => Promise<Pick<typeof Webgpu, "create" | "globals">> = () => import("webgpu"),
): Promise<WebgpuDoor> {
  if (opened !== undefined) return opened;
  let webgpu: Pick<typeof Webgpu, "create" | "globals">;
  try {
    webgpu = await load();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw gpuUnavailable(
      `the optional package webgpu does not load on ${process.platform}-${process.arch} (${firstLine(reason)}); if it is missing, \`npm install --include=optional\` adds it`,
      cause,
    );
  }
  opened ??= { gpu: webgpu.create([]), flags: webgpu.globals as WebgpuFlags };
  return opened;
}

const firstLine = (text: string): string => text.split("\n", 1)[0] as string;
