// SPDX-License-Identifier: Apache-2.0
/**
 * Shows a step at work: one line that moves on a terminal; plain lines, at most one per ten seconds, elsewhere. Everything
 * goes to stderr, since a command's stdout may be read by a program (`--json`).
 */

const FRAMES = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const FRAME_MS = 100;
const PLAIN_MS = 10_000;

/** @param {number} ms @returns {string} "0.4 s", "12 s", "2 min 05 s" */
export function duration(ms) {
  if (ms < 9950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, "0")} s`;
}

export class Progress {
  #stream;
  #live;
  #title = "";
  #note = "";
  #startedAt = 0;
  #frame = 0;
  #timer;
  /** How many steps this has shown to their end. */
  completed = 0;

  /** @param {NodeJS.WriteStream} stream */
  constructor(stream = process.stderr) {
    this.#stream = stream;
    this.#live = stream.isTTY === true && process.env.TERM !== "dumb" && !process.env.CI;
  }

  /** @param {string} text one plain line, above the moving one */
  say(text) {
    this.#clear();
    this.#stream.write(`${text}\n`);
  }

  /** @param {string} title what begins, such as "Installing packages" */
  start(title) {
    this.#title = title;
    this.#note = "";
    this.#startedAt = Date.now();
    if (!this.#live) this.say(`· ${title} …`);
    this.#timer = setInterval(() => this.#draw(), this.#live ? FRAME_MS : PLAIN_MS);
    this.#timer.unref();
  }

  /** @param {string} note where the step is: "61 %", "proving key for 32 participants" */
  note(note) {
    this.#note = note;
  }

  /** The step is complete. @returns {number} its duration in milliseconds */
  done() {
    this.completed += 1;
    return this.#end("✔");
  }

  /** The step failed; the reason follows from whoever reports it. */
  fail() {
    if (this.#timer !== undefined) this.#end("✖");
  }

  #end(mark) {
    clearInterval(this.#timer);
    this.#timer = undefined;
    const elapsed = Date.now() - this.#startedAt;
    this.say(`${mark} ${this.#title} (${duration(elapsed)})`);
    return elapsed;
  }

  #draw() {
    const text = `${this.#title} … ${this.#note === "" ? "" : `${this.#note}, `}${duration(Date.now() - this.#startedAt)}`;
    if (!this.#live) {
      this.say(`· ${text}`);
      return;
    }
    const width = (this.#stream.columns ?? 80) - 3;
    this.#clear();
    this.#stream.write(`${FRAMES[this.#frame++ % FRAMES.length]} ${text.slice(0, width)}`);
  }

  #clear() {
    if (this.#live) this.#stream.write("\r\u001b[2K");
  }
}
