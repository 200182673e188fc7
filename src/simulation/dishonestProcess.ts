// SPDX-License-Identifier: Apache-2.0
import type { Logger } from "../protocol/logger.ts";
import { type ParticipantOverrides, type ParticipantPlan, runParticipant } from "./participants.ts";

/** Process of a dishonest participant in a simulation; its plan comes from the simulation as one argument. Logs as the command line does. */
const { plan, overrides } = JSON.parse(process.argv[2] ?? "{}") as {
  plan: ParticipantPlan;
  overrides: ParticipantOverrides;
};
const write = (level: number) => (fields: Record<string, unknown>, msg: string) => {
  process.stderr.write(`${JSON.stringify({ level, ...fields, msg })}\n`);
};
const logger: Logger = { debug() {}, info: write(30), warn: write(40), error: write(50) };
await runParticipant(plan, overrides, logger, new AbortController().signal);
process.exit(0);
