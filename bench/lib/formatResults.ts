// SPDX-License-Identifier: Apache-2.0

/** One line per entry: readable, and small in a diff. */
export function formatResults(results: object): string {
  const fields = Object.entries(results).map(([name, value]) => {
    const text =
      Array.isArray(value) && value.length > 0
        ? `[\n${value.map((entry) => `  ${JSON.stringify(entry)}`).join(",\n")}\n ]`
        : JSON.stringify(value);
    return ` ${JSON.stringify(name)}: ${text}`;
  });
  return `{\n${fields.join(",\n")}\n}\n`;
}
