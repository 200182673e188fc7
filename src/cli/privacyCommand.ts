// SPDX-License-Identifier: Apache-2.0
import { Command, InvalidArgumentError, Option } from "commander";
import { integerAtLeast } from "./options.ts";
import type { MechanismRequest } from "./privacyMechanism.ts";

/** Names of the deployments; the mechanism's own table is loaded only when a command runs. */
const MODES: readonly MechanismRequest["mode"][] = ["central", "distributed", "local", "record"];

interface Options extends MechanismRequest {
  readonly json?: boolean;
}

interface NoiseOptions extends Options {
  readonly epsilon: number;
  readonly lossClip?: number;
  readonly lossShare?: number;
}

interface EpsilonOptions extends Options {
  readonly noiseMultiplier: number;
  readonly lossMultiplier?: number;
}

/** `foedus privacy` */
export function privacyCommand(): Command {
  return new Command("privacy")
    .description("plan differential privacy: the noise for an epsilon, or the epsilon of a noise")
    .addCommand(noiseCommand())
    .addCommand(epsilonCommand());
}

/** `foedus privacy noise` */
function noiseCommand(): Command {
  return withMechanism(
    new Command("noise")
      .description("the least noise that keeps a run within epsilon at delta, and the recipe that follows")
      .requiredOption("--epsilon <number>", "what each member (or record) may spend on the run", positive),
  )
    .option("--loss-clip <nats>", "local, record: reported losses are at most this (default: 4)", positive)
    .option(
      "--loss-share <share>",
      "local, record: epsilon of the reported losses alone, as a share (default: 0.1, more where no noise would do)",
      positive,
    )
    .addHelpText(
      "after",
      `${EXPLANATION}
Examples:
  $ foedus privacy noise --epsilon 4 --delta 1e-5 --rounds 100 --sampling 0.1 --cohort 20
  $ foedus privacy noise --epsilon 4 --delta 1e-5 --rounds 10 --mode local --clip 0.5 --cohort 200
  $ foedus privacy noise --epsilon 2 --delta 1e-5 --rounds 50 --mode record --samples 2000 --batch 20 --epochs 1`,
    )
    .action(async (options: NoiseOptions) => {
      const { planNoise, mechanismOf, formatNoise, printLine, toJson } = await load();
      const { epsilon, lossClip: clip, lossShare: share, json = false, parameters } = options;
      const loss = { ...(clip === undefined ? {} : { clip }), ...(share === undefined ? {} : { share }) };
      const plan = planNoise(mechanismOf(options), epsilon, loss);
      printLine(json ? toJson(plan) : formatNoise(plan, parameters));
    });
}

/** `foedus privacy epsilon` */
function epsilonCommand(): Command {
  return withMechanism(
    new Command("epsilon")
      .description("the epsilon that a run with given noise spends, under both neighbour relations")
      .requiredOption("--noise-multiplier <z>", "z of the recipe: sigma = zC, in local mode 2zC", positive),
  )
    .option("--loss-multiplier <z>", "local, record: z of the reported losses (default: updates alone)", positive)
    .addHelpText(
      "after",
      `${EXPLANATION}
Examples:
  $ foedus privacy epsilon --noise-multiplier 4 --delta 1e-5 --rounds 100 --sampling 0.1 --relation replace-one
  $ foedus privacy epsilon --noise-multiplier 20 --delta 1e-5 --rounds 10 --mode local --loss-multiplier 20`,
    )
    .action(async (options: EpsilonOptions) => {
      const { epsilonWith, relationRows, worstCase, sigmasOf, mechanismOf, formatEpsilon, printLine, toJson } =
        await load();
      const { noiseMultiplier, lossMultiplier, json = false, parameters } = options;
      const least = mechanismOf(options);
      // Refuses noise that is in no recipe, before members are compared under it.
      epsilonWith(least, noiseMultiplier, lossMultiplier);
      const mechanism = worstCase(least, noiseMultiplier, lossMultiplier);
      const found = {
        mechanism,
        ...(mechanism === least ? {} : { least }),
        noiseMultiplier,
        ...(lossMultiplier === undefined ? {} : { lossMultiplier }),
        ...epsilonWith(mechanism, noiseMultiplier, lossMultiplier),
        sigma: sigmasOf(mechanism, noiseMultiplier),
        relations: relationRows(mechanism, noiseMultiplier, lossMultiplier),
      };
      printLine(json ? toJson(found) : formatEpsilon(found, parameters));
    });
}

const EXPLANATION = `
Neighbours: add-remove goes with Poisson cohorts (S = C), replace-one with cohorts of fixed size and with local noise (S = 2C). An epsilon
under one says nothing under the other. A published cohort hides nobody, so its q counts as 1; on a chain every cohort is published.
Exit codes: 0 ok, 2 where the words contradict each other or no recipe can say it, with the reason.
`;

/** What both commands take. */
function withMechanism(command: Command): Command {
  return command
    .requiredOption("--delta <number>", "well below one over the number of members (or records)", positive)
    .requiredOption("--rounds <number>", "T, rounds that a member takes part in or may be drawn for", integerAtLeast(1))
    .addOption(new Option("--mode <mode>", "who adds the noise").choices(MODES).default("central"))
    .option("--sampling <share>", "q, a round's share of the members (default: 1, all of them)", positive)
    .addOption(new Option("--cohorts <kind>", "how cohorts are drawn").choices(["poisson", "fixed-size"]))
    .option("--published", "those whom the guarantee is against learn who took part")
    .addOption(new Option("--relation <relation>", "neighbours").choices(["add-remove", "replace-one"]))
    .option("--clip <norm>", "C, the longest update or gradient, model units", positive, 1)
    .option("--cohort <number>", "K, members in a round", integerAtLeast(1))
    .option("--colluders <number>", "distributed: members that may tell the server their noise", integerAtLeast(0))
    .option("--samples <number>", "record: n, the least samples that a member has", integerAtLeast(1))
    .option("--batch <number>", "record: B, expected size of a batch", integerAtLeast(1))
    .option("--epochs <number>", "record: passes through the data in a round", integerAtLeast(1))
    .option("--steps <number>", "record: steps in a round, instead of --epochs", integerAtLeast(1))
    .option("--parameters <number>", "of the model: compare the noise with the longest update", integerAtLeast(1))
    .option("--json", "print JSON");
}

async function load() {
  const [
    { mechanismOf, sigmasOf },
    { planNoise, epsilonWith, relationRows },
    { worstCase },
    { formatNoise, formatEpsilon },
    { printLine, toJson },
  ] = await Promise.all([
    import("./privacyMechanism.ts"),
    import("./privacyPlan.ts"),
    import("./privacyWorstCase.ts"),
    import("./formatPrivacy.ts"),
    import("./print.ts"),
  ]);
  return {
    ...{ mechanismOf, sigmasOf, planNoise, epsilonWith, relationRows, worstCase },
    ...{ formatNoise, formatEpsilon, printLine, toJson },
  };
}

function positive(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value > 0 && Number.isFinite(value)))
    throw new InvalidArgumentError("Write a number above 0, e.g. 0.1 or 1e-5.");
  return value;
}
