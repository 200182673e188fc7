// SPDX-License-Identifier: Apache-2.0
// What we use of the engine's WebAssembly: TypeScript keeps its types with the browser's, which do not belong here.
declare namespace WebAssembly {
  type Exports = Record<string, unknown>;
  class Module {
    private readonly compiled;
  }
  class Instance {
    constructor(module: Module, imports: Record<string, Record<string, unknown>>);
    readonly exports: Exports;
  }
  class Memory {
    constructor(descriptor: { initial: number; maximum: number; shared: true });
    /** The memory as long as it is now; growing leaves older buffers valid. */
    readonly buffer: SharedArrayBuffer;
    grow(pages: number): number;
  }
  function compile(bytes: Uint8Array<ArrayBuffer>): Promise<Module>;
}
