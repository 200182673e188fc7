// SPDX-License-Identifier: Apache-2.0
import { join } from "node:path";
import { openCpuKernels } from "../kernels/cpu/cpuKernels.ts";
import { createOnnxNodeEngine } from "../learning/engines/onnxNode.ts";
import { readYaml } from "../process/readYaml.ts";
import { EXIT } from "../protocol/errors.ts";
import { renderUnlearning } from "../report/unlearning/renderUnlearning.ts";
import type { UnlearningReport } from "../report/unlearning/unlearningReport.ts";
import { defaultDataRoot } from "../simulation/laboratory/dataRoot.ts";
import { chooseCell } from "../simulation/unlearning/chooseCell.ts";
import { forgetMember } from "../simulation/unlearning/forgetMember.ts";
import { reportPath } from "../simulation/unlearning/reportPath.ts";
import type { ForgettingProgress } from "../simulation/unlearning/workLeft.ts";
import { writeDurably } from "../storage/folderShelf.ts";
import { formatUnlearning } from "./formatUnlearning.ts";
import { printLine, toJson } from "./print.ts";
import { EXIT_CODES, type StopSignal, stopSignals } from "./stopSignals.ts";
import type { UnlearnOptions } from "./unlearnCommand.ts";

/** Forgets a member, writes its report, and prints what it says. Exit code 1 where the evidence does not hold: the exact method's where one ran. */
export async function unlearn(file: string, options: UnlearnOptions): Promise<void> {
  const value = await readYaml(file, "the experiments that come with Foedus are in experiments/");
  const cell = chooseCell(value, file, options);
  const output = options.output ?? join("unlearning", folderOf(cell));
  let stoppedBy: StopSignal = "SIGINT";
  using stop = stopSignals((signal) => {
    stoppedBy = signal;
  });
  const line = new ProgressLine(options.quiet === true);
  const engine = await createOnnxNodeEngine({ threads: 1 });
  const kernels = await openCpuKernels({ threads: 1 });
  const [data, page] = [reportPath(output, options.member, "json"), reportPath(output, options.member, "html")];
  try {
    const report = await forgetMember({
      ...cell,
      member: options.member,
      method: options.method,
      output,
      every: options.snapshots,
      keepEvery: options.keepEvery,
      effort: options.effort,
      keep: options.keep === true,
      again: options.again === true,
      surroundings: { engine, kernels, dataRoot: options.data ?? defaultDataRoot() },
      publish: async (report: UnlearningReport) => {
        await writeDurably(data, Buffer.from(`${toJson(report)}\n`));
        await writeDurably(page, Buffer.from(renderUnlearning(report)));
      },
      onProgress: (progress) => line.show(progress),
      signal: stop.signal,
    });
    line.end();
    if (options.json === true) printLine(toJson(report));
    else printLine(`${formatUnlearning(report)}\n\nReport: ${page}\nData:   ${data}`);
    if (!report.holds) process.exitCode = EXIT.verificationFailed;
  } catch (error) {
    line.end();
    if (!stop.signal.aborted) throw error;
    process.stderr.write(
      "Stopped. What was trained up to the last snapshot is kept; the same command goes on from there.\n",
    );
    process.exitCode = EXIT_CODES[stoppedBy];
  } finally {
    await kernels.close();
    await engine.dispose();
  }
}

/** A folder of its own for each cell and seed. */
function folderOf({ experiment, labels, seed }: ReturnType<typeof chooseCell>): string {
  const parts = [experiment, ...Object.entries(labels).map(([axis, choice]) => `${axis}-${choice}`), `seed-${seed}`];
  return parts.join("-").replace(/[^\p{L}\p{N}.+_-]+/gu, "-");
}

/** One line that moves on a terminal, and now and then a line elsewhere. */
class ProgressLine {
  readonly #quiet: boolean;
  #last = 0;
  #stage = "";

  constructor(quiet: boolean) {
    this.#quiet = quiet;
  }

  show({ stage, share, secondsLeft }: ForgettingProgress): void {
    if (this.#quiet) return;
    const now = performance.now();
    const terminal = process.stderr.isTTY === true;
    if (stage === this.#stage && now - this.#last < (terminal ? 200 : 15_000)) return;
    this.#last = now;
    this.#stage = stage;
    const left = secondsLeft === undefined ? "" : `, about ${duration(secondsLeft)} left in all`;
    const text = `${stage}: ${Math.floor(100 * share)} %${left}`;
    process.stderr.write(terminal ? `\r\u001b[K${text}` : `${text}\n`);
  }

  end(): void {
    if (!this.#quiet && this.#last > 0 && process.stderr.isTTY === true) process.stderr.write("\n");
  }
}

function duration(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  return `${Math.ceil(seconds / 60)} min`;
}
