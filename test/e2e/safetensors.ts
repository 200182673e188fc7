// SPDX-License-Identifier: Apache-2.0

export interface Tensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/**
 * Reads a safetensors file as its format's page says, with nothing of this project: 8 bytes little-endian length, a JSON header, and data
 * without gaps. https://huggingface.co/docs/safetensors
 */
export function readSafetensors(file: Uint8Array): Map<string, Tensor> {
  const headerLength = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
  const header = JSON.parse(
    new TextDecoder("utf-8", { fatal: true }).decode(file.subarray(8, 8 + headerLength)),
  ) as Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;
  const data = file.subarray(8 + headerLength);
  const tensors = new Map<string, Tensor>();
  let end = 0;
  for (const [
    name,
    {
      dtype,
      shape,
      data_offsets: [from, to],
    },
  ] of Object.entries(header).sort(([, a], [, b]) => a.data_offsets[0] - b.data_offsets[0])) {
    const width = { F32: 4, I16: 2 }[dtype];
    if (width === undefined) throw new Error(`${name} has the unexpected type ${dtype}`);
    if (from !== end || to - from !== width * shape.reduce((product, size) => product * size, 1))
      throw new Error(`${name} lies at ${from} to ${to}, after ${end}`);
    tensors.set(name, { dtype, shape, bytes: new Uint8Array(data.subarray(from, to)) });
    end = to;
  }
  if (end !== data.length) throw new Error(`${data.length - end} bytes behind the last tensor`);
  return tensors;
}
