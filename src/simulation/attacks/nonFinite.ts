// SPDX-License-Identifier: Apache-2.0
import { concatBytes } from "../../protocol/bytes.ts";
import type { TensorLayout } from "../../protocol/layout.ts";
import type { CodecConfig } from "../../protocol/recipe/codecConfig.ts";
import { encodeBlocks } from "../../update/blocks.ts";
import { countOf, formOf, type ValueForm } from "../../update/codecs.ts";
import { encodeHalves } from "../../update/half.ts";
import { isProduct, lowRankLength, type PayloadLayout } from "../../update/lowRank.ts";
import { layoutOf, type PayloadExtent, sizeOf } from "../../update/payloadExtent.ts";
import { encodeGaps } from "../../update/sparseIndices.ts";
import { compress } from "../../update/zstdFrame.ts";
import type { ConfigOf } from "./attackConfig.ts";

type Bomb = ConfigOf<"non-finite">["value"];

/** Bits of the first half, and of the first block's scale; the grid has no NaN and no infinity, so in a scale these are float32's. */
const HALVES: Record<Bomb, number> = { nan: 0x7e00, infinity: 0x7c00, "off-grid": 0x7bff, "unused-level": 0x8000 };
const SCALES: Record<Exclude<Bomb, "unused-level">, number> = {
  nan: 0x7fc0_0000,
  infinity: 0x7f80_0000,
  "off-grid": 0xffff_ffff,
};
const SCALE_BYTES = 4;

/**
 * The number bomb (spec G14): a payload of the right length whose first value would spoil every sum if it were believed: NaN, infinity, a value off
 * the grid, or a level that is not used. Verification must refuse each of them.
 */
export function nonFinite({ value }: ConfigOf<"non-finite">, codec: CodecConfig, extent: PayloadExtent): Uint8Array {
  const form = formOf(codec);
  if (form.values.kind === "lowRank") return compress(factorBomb(value, layoutOf(extent), form.values.rank));
  const count = countOf(form, sizeOf(extent));
  const values = encode(new Int32Array(count).fill(1), form.values);
  const view = new DataView(values.buffer, values.byteOffset, values.length);
  if (form.values.kind === "half") view.setUint16(0, HALVES[value]);
  else if (value !== "unused-level") view.setUint32(0, SCALES[value]);
  else if (form.values.valueBytes === 2) view.setInt16(SCALE_BYTES, -32_768);
  else view.setInt8(SCALE_BYTES, -128);
  const listed = form.support.kind === "listed";
  return compress(listed ? concatBytes(encodeGaps(Uint32Array.from({ length: count }, (_, i) => i)), values) : values);
}

/** Of a payload of factors that says 0 everywhere: the first product's shift and factors, or the first tensor's block. */
function factorBomb(value: Bomb, layout: PayloadLayout, rank: number): Uint8Array {
  const content = new Uint8Array(lowRankLength(layout, rank)).fill(1);
  const product = isProduct((layout.tensors[0] as TensorLayout).shape, rank);
  const view = new DataView(content.buffer);
  if (value === "unused-level") view.setInt16(product ? 1 : SCALE_BYTES, -32_768);
  else if (product) content.fill(0x7f).set([value === "off-grid" ? 0 : 0xff]);
  else view.setUint32(0, SCALES[value]);
  return content;
}

function encode(values: Int32Array, form: ValueForm): Uint8Array {
  return form.kind === "half" ? encodeHalves(values) : encodeBlocks(values, form);
}
