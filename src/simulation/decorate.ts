// SPDX-License-Identifier: Apache-2.0

/** `target` with some of its methods replaced. Works for classes with private fields, whose methods need the true receiver. */
export function decorate<T extends object>(target: T, overrides: Partial<T>): T {
  return new Proxy(target, {
    get(original, key) {
      if (key in overrides) return overrides[key as keyof T];
      const value = Reflect.get(original, key, original) as unknown;
      return typeof value === "function" ? value.bind(original) : value;
    },
  });
}
