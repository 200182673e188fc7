// SPDX-License-Identifier: Apache-2.0
import { mkdir, open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { ConfigError } from "../protocol/errors.ts";

/**
 * Makes a folder this process's own until it is released. Two processes with one state folder would make two updates for a round, of which the
 * chain takes the first to come. A lock left by a process that was killed is taken over.
 *
 * @param otherwise what else the operator can do, for the message.
 * @throws ConfigError while another process of this machine holds it. (Processes in other containers are not seen.)
 */
export async function lockFolder(
  folder: string,
  otherwise = "give this one a state folder of its own",
): Promise<() => Promise<void>> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, "lock");
  for (;;) {
    try {
      const file = await open(path, "wx", 0o600);
      await file.writeFile(String(process.pid));
      await file.close();
      return () => rm(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    const holder = Number(await readFile(path, "utf8").catch(() => ""));
    if (isRunning(holder)) {
      throw new ConfigError(
        `Process ${holder} works in ${folder} already. Stop it, or ${otherwise}; if process ${holder} is something else, delete ${path}.`,
        { folder, holder },
      );
    }
    await rm(path, { force: true });
  }
}

/** Whether another process has this id. After a restart in a container the old id may be our own. */
function isRunning(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid < 1 || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
