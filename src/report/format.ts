// SPDX-License-Identifier: Apache-2.0

/** Shown where a value is unknown or not a number. */
export const UNKNOWN = "–";
/** Decimals of the reward token's smallest unit (ERC-20's usual 18). */
const TOKEN_DECIMALS = 18;

/** Whole number with thousands separators: `1,214,332`. */
export function count(value: number | undefined): string {
  return decimal(value, 0);
}

/** Number with a fixed number of decimals, thousands separators and a true minus sign. */
export function decimal(value: number | undefined, digits: number): string {
  if (value === undefined || !Number.isFinite(value)) return UNKNOWN;
  const [whole = "0", fraction] = Math.abs(value).toFixed(digits).split(".");
  // What rounds to zero has no sign: "−0.0000" reads as a small loss where there is none.
  const negative = value < 0 && /[1-9]/.test(whole + (fraction ?? ""));
  return `${negative ? "−" : ""}${grouped(whole)}${fraction === undefined ? "" : `.${fraction}`}`;
}

/** Norm of an update on the float scale; the closing round's is exactly 0 and says so. */
export function norm(value: number | undefined): string {
  return value === 0 ? "0" : decimal(value, 4);
}

/** A share 0 … 1 as per cent with one decimal: `94.2%`. */
export function percent(share: number | undefined): string {
  return share === undefined || !Number.isFinite(share) ? UNKNOWN : `${decimal(share * 100, 1)}%`;
}

/** A size in bytes in decimal units: `812 B`, `5.2 kB`, `1.4 MB`. */
export function bytes(size: number | undefined): string {
  if (size === undefined || !Number.isFinite(size)) return UNKNOWN;
  const units = ["B", "kB", "MB", "GB"];
  let index = 0;
  let value = size;
  while (value >= 1000 && index < units.length - 1) {
    value /= 1000;
    index++;
  }
  return `${decimal(value, index === 0 ? 0 : 1)} ${units[index]}`;
}

/** A duration in seconds: `840 ms`, `4.2 s`, `1 min 12 s`. */
export function duration(seconds: number | undefined): string {
  if (seconds === undefined || !Number.isFinite(seconds)) return UNKNOWN;
  if (seconds < 0.9995) return `${decimal(seconds * 1000, 0)} ms`;
  if (seconds < 59.95) return `${decimal(seconds, 1)} s`;
  const whole = Math.round(seconds);
  return `${grouped(String(Math.floor(whole / 60)))} min ${whole % 60} s`;
}

/**
 * Token amount from a decimal string of the smallest unit: thousands separators and up to four decimals, cut and never rounded up, so that
 * shown parts do not exceed the pool; `aligned` keeps all four, for columns. A string that is not a whole number is shown as it is.
 */
export function tokens(amount: string, align: "cut" | "aligned" = "cut"): string {
  if (!/^-?\d+$/.test(amount)) return amount;
  const negative = amount.startsWith("-");
  const digits = (negative ? amount.slice(1) : amount).replace(/^0+(?=\d)/, "").padStart(TOKEN_DECIMALS + 1, "0");
  const whole = digits.slice(0, -TOKEN_DECIMALS);
  const decimals = digits.slice(-TOKEN_DECIMALS, -TOKEN_DECIMALS + 4);
  const fraction = align === "aligned" ? decimals : decimals.replace(/0+$/, "");
  if (whole === "0" && /^0*$/.test(fraction) && /[1-9]/.test(digits)) return negative ? "> −0.0001" : "< 0.0001";
  return `${negative ? "−" : ""}${grouped(whole)}${fraction === "" ? "" : `.${fraction}`}`;
}

/** Share of a part in a whole, both decimal strings of whole numbers, 0 … 1; 0 where either is not one or the whole is not positive. */
export function shareOf(part: string, whole: string): number {
  if (!/^\d+$/.test(part) || !/^\d+$/.test(whole) || BigInt(whole) === 0n) return 0;
  return Number((BigInt(part) * 1_000_000n) / BigInt(whole)) / 1_000_000;
}

/** A hash or CID shortened for reading: the first and last characters, which is where people compare. Short text stays whole. */
export function shorten(text: string): string {
  // Every CID of ours begins "bafybei"; its difference lies behind that.
  const head = text.startsWith("0x") ? 8 : 11;
  const characters = [...text];
  return characters.length <= head + 8
    ? text
    : `${characters.slice(0, head).join("")}…${characters.slice(-6).join("")}`;
}

/** `1 round`, `2 rounds`. */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** A camelCase key as words: `proofOfTraining` → `Proof of training`. */
export function words(key: string): string {
  const text = key
    .replace(/([a-z\d])([A-Z])/g, "$1 $2")
    .replace(/[_-]+/g, " ")
    .toLowerCase();
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function grouped(digits: string): string {
  return digits.replace(/\B(?=(\d{3})+$)/g, ",");
}
