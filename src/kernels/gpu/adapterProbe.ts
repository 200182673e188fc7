// SPDX-License-Identifier: Apache-2.0
/**
 * A process that looks for an adapter and prints what it found as one line of JSON: an `AdapterDescription` or null.
 *
 * A process of its own, because Dawn gives its reasons only on the standard error stream, and because a broken driver may take down the
 * process that loads it.
 */
import { describeAdapter, requestAdapter } from "./adapter.ts";

const adapter = await requestAdapter();
// A device too: some drivers list an adapter that then cannot be opened.
const device = await adapter?.requestDevice();
process.stdout.write(`${JSON.stringify(adapter === null ? null : describeAdapter(adapter))}\n`);
device?.destroy();
