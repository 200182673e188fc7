// SPDX-License-Identifier: Apache-2.0
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Command } from "commander";
import { printLine } from "./print.ts";

interface Options {
  readonly out?: string;
  readonly csv?: string;
}

/** `foedus report` */
export function reportCommand(): Command {
  return new Command("report")
    .description("make a page and a table of what `foedus simulate` has run")
    .argument("<results>", "folder with results")
    .option("--out <file>", "the page (default: report.html in that folder)")
    .option("--csv <file>", "the table (default: report.csv in that folder)")
    .addHelpText("after", "\nExamples:\n  $ foedus report results\n  $ foedus report results/s-fair --out fair.html")
    .action(async (folder: string, options: Options) => {
      const [{ readExperiments }, { reportOf }, { renderExperiments }, { experimentsCsv }] = await Promise.all([
        import("../simulation/laboratory/experimentFolder.ts"),
        import("../simulation/laboratory/reportOf.ts"),
        import("../report/experiments/renderExperiments.ts"),
        import("../report/experiments/experimentsCsv.ts"),
      ]);
      const reports = (await readExperiments(folder)).map(reportOf);
      const page = options.out ?? join(folder, "report.html");
      const table = options.csv ?? join(folder, "report.csv");
      await writeFile(page, renderExperiments(reports));
      await writeFile(table, experimentsCsv(reports));
      for (const { name, groups, claims } of reports) {
        const held = claims.filter(({ holds }) => holds).length;
        printLine(
          `${name}: ${groups.length} combinations${claims.length === 0 ? "" : `, ${held} of ${claims.length} claims hold`}`,
        );
      }
      printLine(`Page:  ${page}\nTable: ${table}`);
    });
}
