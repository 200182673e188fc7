// SPDX-License-Identifier: Apache-2.0
import type { CellResult } from "./cellResult.ts";
import type { Cell } from "./experimentConfig.ts";

export interface WorkerSetting {
  readonly experiment: string;
  readonly dataRoot: string;
}

export interface CellOrder {
  readonly cell: Cell;
}

export type CellAnswer =
  | { readonly kind: "ready" }
  | { readonly kind: "round"; readonly round: number; readonly of: number }
  | { readonly kind: "result"; readonly result: CellResult }
  | { readonly kind: "failure"; readonly code: string | undefined; readonly message: string; readonly stack: string };
