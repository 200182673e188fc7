// SPDX-License-Identifier: Apache-2.0
import { join } from "node:path";

/** Where a member's report lies among the records. */
export function reportPath(output: string, member: number, kind: "json" | "html"): string {
  return join(output, `member-${member}.${kind}`);
}
