// SPDX-License-Identifier: Apache-2.0
import { Command, InvalidArgumentError, Option } from "commander";
import { integerAtLeast } from "./options.ts";

export interface UnlearnOptions {
  readonly member: number;
  readonly method: "exact" | "recompute" | "eraser" | "sharded" | "all";
  readonly choose?: Readonly<Record<string, string>>;
  readonly seed?: number;
  readonly data?: string;
  readonly output?: string;
  readonly groups?: number;
  readonly snapshots: number;
  readonly keepEvery: number;
  readonly effort: number;
  readonly keep?: boolean;
  readonly again?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** `foedus unlearn` */
export function unlearnCommand(): Command {
  return new Command("unlearn")
    .description("forget a member of a simulated federation, and write down the evidence")
    .argument("<file>", "an experiment, or a federation by itself (YAML)")
    .requiredOption("--member <id>", "number of the member, 1 … N", integerAtLeast(1))
    .addOption(
      new Option(
        "--method <method>",
        "how to forget; with `all`, by every method that is possible here, to compare them",
      )
        .choices(["exact", "recompute", "eraser", "sharded", "all"])
        .default("exact"),
    )
    .option("--choose <axis=choice>", "which cell of an experiment; once for each axis", chosen)
    .option("--seed <number>", "seed (default: the experiment's first, or 1)", integerAtLeast(0))
    .option("--data <folder>", "folder with real data sets (default: FOEDUS_DATA, or data)")
    .option("--output <folder>", "folder for records and reports (default: unlearning/NAME)")
    .option("--groups <number>", "run the cell as so many groups with a model each (FLCert-D)", integerAtLeast(2))
    .option("--snapshots <rounds>", "write a snapshot every so many rounds", integerAtLeast(1), 5)
    .option("--keep-every <rounds>", "FedEraser looks at every so many rounds", integerAtLeast(1), 2)
    .option("--effort <share>", "FedEraser calibrates with this share of a round's training", share, 0.5)
    .option("--keep", "do not delete what is kept of the member")
    .option("--again", "train anew, whatever records are there")
    .option("--json", "print the report as JSON on standard output")
    .option("--quiet", "no progress")
    .addHelpText(
      "after",
      `
Writes member-ID.json and member-ID.html. A command that is broken off goes on where it was.

Methods: exact (replay without the member), recompute (aggregate stored uploads without it), eraser (FedEraser), sharded (replay its group alone).
Exit codes: 0 the evidence holds (of the exact or sharded method where it ran, else of the approximation), 1 it does not, 2 usage: also where
a method cannot be used, with the reason.

Examples:
  $ foedus unlearn experiments/heart-disease.yaml --choose recipe=fedavg --member 2
  $ foedus unlearn digits.yaml --member 3 --method all --data /data
  $ foedus unlearn digits.yaml --member 3 --method sharded --groups 5 --json`,
    )
    .action(async (file: string, options: UnlearnOptions) => {
      const { unlearn } = await import("./unlearn.ts");
      await unlearn(file, options);
    });
}

function chosen(text: string, before: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const at = text.indexOf("=");
  if (at < 1) throw new InvalidArgumentError("Write AXIS=CHOICE, e.g. recipe=fedavg.");
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

function share(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 1)) throw new InvalidArgumentError("Write a share above 0 and at most 1, e.g. 0.5.");
  return value;
}
