// SPDX-License-Identifier: Apache-2.0
import { openWebgpu } from "./webgpuDoor.ts";

/** What users are told of an adapter. */
export interface AdapterDescription {
  /** The device's name as its driver gives it. */
  readonly name: string;
  /** Whether the "GPU" is this processor: lavapipe, SwiftShader and their like. They compute the same bits, but slower than `cpu`. */
  readonly software: boolean;
}

/** The fastest adapter there is; null when no driver works. */
export async function requestAdapter(): Promise<GPUAdapter | null> {
  const { gpu } = await openWebgpu();
  return await gpu.requestAdapter({ powerPreference: "high-performance" });
}

export function describeAdapter({ info }: GPUAdapter): AdapterDescription {
  const words = [info.description, info.device, info.vendor, info.architecture].filter((word) => word !== "");
  return {
    name: words[0] ?? "unnamed GPU",
    software: info.isFallbackAdapter || words.some((word) => /llvmpipe|lavapipe|swiftshader|software/i.test(word)),
  };
}
