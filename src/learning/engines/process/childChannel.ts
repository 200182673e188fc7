// SPDX-License-Identifier: Apache-2.0
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { z } from "zod";
import { LearningError, type LearningErrorCode } from "../../errors.ts";
import { encodeFrame, type Frame, FrameReader } from "./frames.ts";
import { anyReply, type Reply } from "./messages.ts";
import { decodeTensors, encodeTensors, type FloatTensor } from "./safetensors.ts";

export interface ChildOptions {
  /** Program and arguments; no shell is involved. */
  readonly command: readonly string[];
  readonly cwd?: string | undefined;
  /** The child's whole environment. */
  readonly env: NodeJS.ProcessEnv;
}

export interface Request {
  readonly header: Readonly<Record<string, unknown>> & { readonly type: string };
  readonly tensors?: Readonly<Record<string, FloatTensor>>;
  /** float32 values that the answer may hold in all; 0 for an answer without tensors. */
  readonly mostValues: number;
  readonly timeoutMs: number;
}

export interface Answer {
  readonly header: Exclude<Reply, { type: "error" }>;
  readonly tensors: ReadonlyMap<string, FloatTensor>;
}

/** What an answer may take besides its values: the safetensors header. */
const PAYLOAD_ALLOWANCE = 1 << 16;

const KEPT_STDERR = 4_096;

/** After its end a child's pipes may be held open by processes of its own; nobody waits longer for them. */
const LAST_WORDS_MS = 300;

const PATIENCE_AT_END_MS = 2_000;

interface Pending {
  readonly id: number;
  readonly settle: (outcome: Frame | LearningError) => void;
}

/**
 * A child process that is asked one thing at a time. Requests queue up; what breaks the wire format, dies or does not answer in time is
 * killed, and that request and all later ones are refused with the reason and the end of what it wrote to standard error.
 */
export class ChildChannel {
  /** Named in errors; arguments are not, which may hold what is nobody's business. */
  readonly #program: string;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #reader = new FrameReader();
  readonly #gone = Promise.withResolvers<void>();
  #stderr = Buffer.alloc(0);
  #pending: Pending | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #nextId = 0;
  /** Why it is of no use any more; the first reason counts. */
  #reason: string | undefined;
  #ended = false;

  constructor({ command, cwd, env }: ChildOptions) {
    const [program, ...args] = command as [string, ...string[]];
    this.#program = program;
    this.#child = spawn(program, args, { cwd, env, stdio: "pipe" });
    this.#child.on("error", (error) => this.#end(error.message));
    this.#child.on("exit", (code, signal) => {
      this.#reason ??= signal === null ? `it ended with exit code ${code}` : `it was ended by ${signal}`;
      setTimeout(() => this.#end(), LAST_WORDS_MS).unref();
    });
    this.#child.on("close", () => this.#end());
    this.#child.stdin.on("error", () => {});
    this.#child.stderr.on("data", (bytes: Buffer) => {
      this.#stderr = Buffer.concat([this.#stderr, bytes.subarray(-KEPT_STDERR)]).subarray(-KEPT_STDERR);
    });
    this.#child.stdout.on("data", (bytes: Buffer) => this.#read(bytes));
  }

  /**
   * Asks and waits for the answer.
   *
   * @throws LearningError ENGINE_FAILED when the process broke or said that it failed, or the code it answered with.
   */
  ask(request: Request): Promise<Answer> {
    const answer = this.#queue.then(() => this.#exchange(request));
    this.#queue = answer.catch(() => {});
    return answer;
  }

  /** Ends the child's input, which asks it to end, and waits; kills it if it does not. */
  async close(): Promise<void> {
    this.#reason ??= "it was closed";
    this.#child.stdin.end();
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), PATIENCE_AT_END_MS);
    await this.#gone.promise;
    clearTimeout(timer);
  }

  /** Judges the process unusable: kills it and refuses what is asked of it from now on. */
  condemn(reason: string): Promise<LearningError> {
    this.#reason ??= reason;
    this.#child.kill("SIGKILL");
    return this.#gone.promise.then(() => this.#failure());
  }

  async #exchange({ header, tensors, mostValues, timeoutMs }: Request): Promise<Answer> {
    if (this.#reason !== undefined) {
      await this.#gone.promise;
      throw this.#failure();
    }
    const id = this.#nextId++;
    const pieces = encodeFrame({ ...header, id }, tensors === undefined ? [] : encodeTensors(tensors));
    const { promise, resolve } = Promise.withResolvers<Frame | LearningError>();
    this.#pending = { id, settle: resolve };
    this.#reader.mostPayload = mostValues === 0 ? 0 : 4 * mostValues + PAYLOAD_ALLOWANCE;
    const timer = setTimeout(
      () => void this.condemn(`it did not answer "${header.type}" within ${timeoutMs} ms`),
      timeoutMs,
    );
    // Corked, the pieces leave in one system call.
    this.#child.stdin.cork();
    for (const piece of pieces) this.#child.stdin.write(piece);
    this.#child.stdin.uncork();
    const outcome = await promise;
    clearTimeout(timer);
    this.#pending = undefined;
    this.#reader.mostPayload = 0;
    if (outcome instanceof LearningError) throw outcome;
    return this.#judge(outcome, id, header.type);
  }

  async #judge({ header, payload }: Frame, id: number, asked: string): Promise<Answer> {
    const parsed = anyReply.safeParse(header);
    if (!parsed.success)
      throw await this.condemn(`its answer to "${asked}" is not valid: ${z.prettifyError(parsed.error).slice(0, 500)}`);
    const reply = parsed.data;
    if (reply.id !== id) throw await this.condemn(`it answered request ${reply.id} when asked ${id}`);
    if (reply.type === "error") {
      const code: LearningErrorCode = reply.code === "FAILED" ? "ENGINE_FAILED" : reply.code;
      throw new LearningError(code, `The engine's process (${this.#program}) refused "${asked}": ${reply.message}`, {
        program: this.#program,
        asked,
        stderr: this.#tail(),
      });
    }
    try {
      return { header: reply, tensors: payload.length === 0 ? new Map() : decodeTensors(payload) };
    } catch (error) {
      throw await this.condemn(`its answer to "${asked}" holds no tensors: ${(error as Error).message}`);
    }
  }

  #read(bytes: Buffer): void {
    if (this.#reason !== undefined) return;
    try {
      for (const frame of this.#reader.push(bytes)) {
        if (this.#pending === undefined) throw new Error("it wrote a message that nobody asked for");
        const { settle } = this.#pending;
        this.#pending = undefined;
        settle(frame);
      }
    } catch (error) {
      void this.condemn((error as Error).message);
    }
  }

  #end(reason = "its pipes were closed"): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#reason ??= reason;
    this.#gone.resolve();
    this.#pending?.settle(this.#failure());
  }

  #failure(): LearningError {
    const stderr = this.#tail();
    return new LearningError(
      "ENGINE_FAILED",
      `The engine's process (${this.#program}) cannot be used: ${this.#reason}.${stderr === "" ? " It wrote nothing to standard error." : ` Its standard error ended with:\n${stderr}`}`,
      { program: this.#program, reason: this.#reason, stderr },
    );
  }

  #tail(): string {
    return this.#stderr.toString("utf8").trim();
  }
}
