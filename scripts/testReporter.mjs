// SPDX-License-Identifier: Apache-2.0
/**
 * Test output for people: one line per file as it completes, failures in full, and the runner's own summary. The runner's
 * `spec` reporter, which prints each of many hundred passing tests, is given only what is worth reading.
 */
import { relative } from "node:path";
import { spec } from "node:test/reporters";

/** Events of tests that went well say nothing a count does not. */
const QUIET = new Set(["test:pass", "test:start", "test:enqueue", "test:dequeue", "test:complete", "test:plan"]);

const lineOf = ({ file, counts, duration_ms: ms, success }) => {
  const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : "";
  const name = relative(process.cwd(), file);
  return `${success ? "✔" : "✖"} ${name} (${counts.passed} of ${counts.tests} passed${skipped}, ${(ms / 1000).toFixed(1)} s)\n`;
};

/** @param {AsyncIterable<{ type: string, data: any }>} source the runner's events */
export default async function* testReporter(source) {
  const forPeople = new spec();
  for await (const event of source) {
    if (event.type === "test:summary" && event.data.file !== undefined) {
      yield lineOf(event.data);
      continue;
    }
    if (QUIET.has(event.type)) {
      if (event.type === "test:pass" && event.data.skip)
        yield `﹣ ${event.data.name} # ${event.data.skip === true ? "skipped" : event.data.skip}\n`;
      continue;
    }
    forPeople.write(event);
    for (let text = forPeople.read(); text !== null; text = forPeople.read()) yield text;
  }
  forPeople.end();
  for await (const text of forPeople) yield text;
}
