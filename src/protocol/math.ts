// SPDX-License-Identifier: Apache-2.0
//
// The argument reductions and minimax polynomials below are those of fdlibm (e_exp.c, e_log.c):
//
//   Copyright (C) 1993-2004 by Sun Microsystems, Inc. All rights reserved.
//   Developed at SunSoft, a Sun Microsystems, Inc. business.
//   Permission to use, copy, modify, and distribute this software is freely granted,
//   provided that this notice is preserved.

/**
 * Elementary functions that give the same 64 bits on every machine.
 *
 * ECMAScript leaves `Math.exp` and `Math.log` to the implementation, and engines have changed them between versions.
 * Scores are part of what validators agree on bit for bit, so agreed code uses these: only + − × ÷ on float64, which
 * IEEE 754 fixes completely and JavaScript never contracts into fused operations, and bit access with a stated byte order.
 * Error below 1 ulp (fdlibm's bound); pinned by `test/vectors/math.json`.
 */

const LN2_HIGH = 6.9314718036912381649e-1; // 0x3fe62e42fee00000: its low 21 bits are zero, so k·LN2_HIGH is exact for |k| < 2^20
const LN2_LOW = 1.90821492927058770002e-10; // 0x3dea39ef35793c76: ln 2 − LN2_HIGH
const INVERSE_LN2 = 1.442695040888963387;
const EXP_OVERFLOW = 7.09782712893383973096e2; // above: +Infinity
const EXP_UNDERFLOW = -7.4513321910194110842e2; // below: +0
const TWO_POW_54 = 18014398509481984;
const TWO_POW_1023 = 8.98846567431158e307;
const TWO_POW_MINUS_1000 = 9.332636185032189e-302;
const TWO_POW_MINUS_28 = 3.725290298461914e-9;

const word = new DataView(new ArrayBuffer(8));

/** 2^k for −1022 ≤ k ≤ 1023, built from its exponent bits. */
function powerOfTwo(k: number): number {
  word.setUint32(0, (1023 + k) << 20, false);
  word.setUint32(4, 0, false);
  return word.getFloat64(0, false);
}

/**
 * e^x.
 *
 * x = k·ln 2 + r with |r| ≤ ½ ln 2; then e^r = 1 + 2r/(R(r) − r) with a degree-5 polynomial R in r², scaled by 2^k.
 *
 * @returns NaN for NaN, +Infinity above 709.78…, +0 below −745.13…; subnormal results are rounded once.
 */
export function exp(x: number): number {
  if (x !== x) return x;
  if (x > EXP_OVERFLOW) return Infinity;
  if (x < EXP_UNDERFLOW) return 0;

  const magnitude = x < 0 ? -x : x;
  let k = 0;
  let high = x;
  let low = 0;
  if (magnitude > 0.5 * 0.6931471805599453) {
    k = Math.trunc(INVERSE_LN2 * x + (x < 0 ? -0.5 : 0.5));
    high = x - k * LN2_HIGH;
    low = k * LN2_LOW;
  } else if (magnitude < TWO_POW_MINUS_28) {
    return 1 + x;
  }
  const r = high - low;
  const t = r * r;
  const c =
    r -
    t *
      (1.66666666666666019037e-1 +
        t *
          (-2.77777777770155933842e-3 +
            t * (6.61375632143793436117e-5 + t * (-1.6533902205465251539e-6 + t * 4.13813679705723846039e-8))));
  if (k === 0) return 1 - ((r * c) / (c - 2) - r);
  const y = 1 - (low - (r * c) / (2 - c) - high);

  if (k === 1024) return y * 2 * TWO_POW_1023;
  if (k >= -1021) return y * powerOfTwo(k);
  // Two factors, so that the only rounding of a subnormal result is the last multiplication.
  return y * powerOfTwo(k + 1000) * TWO_POW_MINUS_1000;
}

/**
 * The natural logarithm of x.
 *
 * x = 2^k·(1+f) with √½ < 1+f < √2; with s = f/(2+f), ln(1+f) = 2s + s·R(s²), R a degree-7 minimax polynomial.
 *
 * @returns NaN for NaN and x < 0, −Infinity for ±0, +Infinity for +Infinity.
 */
export function log(x: number): number {
  if (x !== x || x < 0) return NaN;
  if (x === 0) return -Infinity;
  if (x === Infinity) return x;

  let k = 0;
  let scaled = x;
  if (scaled < 2.2250738585072014e-308) {
    k = -54;
    scaled *= TWO_POW_54;
  }
  word.setFloat64(0, scaled, false);
  let head = word.getUint32(0, false);
  k += (head >>> 20) - 1023;
  head &= 0x000fffff;
  // 0x95f64 is where the mantissa passes √2: from there on halve, and count the factor 2 in k.
  const carry = (head + 0x95f64) & 0x100000;
  word.setUint32(0, head | (carry ^ 0x3ff00000), false);
  k += carry >>> 20;
  const f = word.getFloat64(0, false) - 1;

  if ((0x000fffff & (2 + head)) < 3) {
    // |f| < 2^-20: a short series is already exact to the last bit, and f = 0 must give exactly k·ln 2.
    if (f === 0) return k === 0 ? 0 : k * LN2_HIGH + k * LN2_LOW;
    const short = f * f * (0.5 - 0.33333333333333333 * f);
    return k === 0 ? f - short : k * LN2_HIGH - (short - k * LN2_LOW - f);
  }
  const s = f / (2 + f);
  const z = s * s;
  const w = z * z;
  const even = w * (3.999999999940941908e-1 + w * (2.222219843214978396e-1 + w * 1.531383769920937332e-1));
  const odd =
    z *
    (6.66666666666673513e-1 +
      w * (2.857142874366239149e-1 + w * (1.818357216161805012e-1 + w * 1.479819860511658591e-1)));
  const r = odd + even;
  // 0x6147a … 0x6b851: where ½f² must be split off to keep the error below one ulp.
  if (((head - 0x6147a) | (0x6b851 - head)) > 0) {
    const half = 0.5 * f * f;
    return k === 0 ? f - (half - s * (half + r)) : k * LN2_HIGH - (half - (s * (half + r) + k * LN2_LOW) - f);
  }
  return k === 0 ? f - s * (f - r) : k * LN2_HIGH - (s * (f - r) - k * LN2_LOW - f);
}

/**
 * ln Σ e^{v_j} over `values[start … start+length)`, summed in index order after subtracting the maximum.
 *
 * Never below the maximum, so `logSumExp(logits) − logits[label]`, a cross-entropy, is never negative.
 *
 * @returns −Infinity for no values (the empty sum is 0) or only −Infinity; NaN if any value is NaN; +Infinity if one is.
 */
export function logSumExp(values: ArrayLike<number>, start = 0, length = values.length - start): number {
  let max = -Infinity;
  for (let j = start; j < start + length; j++) {
    const value = values[j] as number;
    if (value !== value) return NaN;
    if (value > max) max = value;
  }
  if (max === -Infinity || max === Infinity) return max;
  let sum = 0;
  for (let j = start; j < start + length; j++) sum += exp((values[j] as number) - max);
  return max + log(sum);
}

/**
 * The integer nearest to x, halves away from zero: 2.5 → 3, −2.5 → −3.
 *
 * `Math.round` rounds −2.5 to −2 and the idiom ⌊x + ½⌋ rounds 0.49999999999999994 to 1; here every step is exact.
 * Never returns −0. Non-finite x is returned as it is.
 */
export function roundHalfAwayFromZero(x: number): number {
  const whole = Math.trunc(x);
  const fraction = x - whole;
  if (fraction >= 0.5) return whole + 1;
  if (fraction <= -0.5) return whole - 1;
  return whole === 0 ? 0 : whole;
}
