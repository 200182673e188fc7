// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from "../protocol/errors.ts";

/**
 * Which two data sets a guarantee calls neighbours. "add-remove": one has a client (or record) that the other lacks; a clipped contribution moves a
 * sum by at most C. "replace-one": one client (or record) has other data; it moves a sum by at most 2C. An ε under one says nothing under the
 * other, so every figure carries its relation, in its type and at run time.
 */
export type NeighbourRelation = "add-remove" | "replace-one";

/** Whose presence or data the guarantee hides. Clipping whole updates protects clients, clipping single gradients records. */
export type PrivacyUnit = "client" | "record";

/** How far one client or record moves a sum of vectors clipped to norm C (spec D2). */
export function sensitivityOf(relation: NeighbourRelation, clipNorm: number): number {
  return relation === "add-remove" ? clipNorm : 2 * clipNorm;
}

/** @throws ConfigError when figures of both relations meet. */
export function requireSameRelation<R extends NeighbourRelation>(
  expected: R,
  actual: NeighbourRelation,
): asserts actual is R {
  if (actual === expected) return;
  throw new ConfigError(
    `Privacy under "${actual}" neighbours cannot be combined with privacy under "${expected}" neighbours; account for each by itself.`,
    { expected, actual },
  );
}
