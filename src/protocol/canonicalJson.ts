// SPDX-License-Identifier: Apache-2.0
import { DecodeError } from "./errors.ts";

/** What canonical JSON can hold. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/**
 * Canonical JSON (RFC 8785): keys sorted by UTF-16 code unit, no white space, ECMAScript number form.
 * Two parties that mean the same value write the same bytes, so its hash can be agreed on.
 */
export function canonicalJson(value: Json): string {
  if (value === null || typeof value === "boolean") return JSON.stringify(value);
  if (typeof value === "string") return canonicalString(value);
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw new DecodeError(`${value} has no canonical JSON form.`);
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) return `[${value.map((item: Json) => canonicalJson(item)).join(",")}]`;
  const object = value as { readonly [key: string]: Json };
  const keys = Object.keys(object).sort(byCodeUnit);
  return `{${keys.map((key) => `${canonicalString(key)}:${canonicalJson(object[key] as Json)}`).join(",")}}`;
}

/** RFC 8785 §3.2.2.2: half a surrogate pair is no character and has no form. */
function canonicalString(text: string): string {
  if (!text.isWellFormed()) throw new DecodeError("A string with half a surrogate pair has no canonical JSON form.");
  return JSON.stringify(text);
}

/** Order of UTF-16 code units, the order of `<` on strings; never the locale's. */
export function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Parses JSON and refuses any spelling but the canonical one. */
export function parseCanonicalJson(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new DecodeError("The text is not JSON.", {}, cause);
  }
  if (canonicalJson(value as Json) !== text) throw new DecodeError("The JSON is not in canonical form (RFC 8785).");
  return value;
}
