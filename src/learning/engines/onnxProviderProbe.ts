// SPDX-License-Identifier: Apache-2.0
/**
 * A process that multiplies two matrices with the ONNX Runtime provider that its argument names, and prints a `ProviderAnswer` as one line of
 * JSON. A process of its own, because a broken driver may take down, or hold up for ever, the process that uses it.
 */
import { GraphBuilder } from "../onnx/graph.ts";
import type { ProviderAnswer } from "./onnxProviders.ts";

async function probe(provider: string): Promise<ProviderAnswer> {
  try {
    const { InferenceSession, Tensor } = await import("onnxruntime-node");
    const graph = new GraphBuilder();
    const factor = graph.input("factor", [2, 2]);
    graph.output("product", graph.apply("MatMul", [factor, factor]), [2, 2]);
    const session = await InferenceSession.create(graph.finish(), {
      executionProviders: [provider],
      logSeverityLevel: 4,
    });
    const given = new Tensor("float32", Float32Array.of(1, 2, 3, 4), [2, 2]);
    const { product } = await session.run({ factor: given });
    const values = [...((product as typeof given).data as Float32Array)];
    // Shaders and tensor cores may round their factors.
    const works = [7, 10, 15, 22].every((value, i) => Math.abs((values[i] as number) - value) < 0.05);
    return works ? { works } : { works, reason: `it gives a product of ${values.join(", ")}` };
  } catch (error) {
    return { works: false, reason: sentence(error) };
  }
}

/** The end of the runtime's message; places in its source help nobody. */
function sentence(error: unknown): string {
  const message = (error as Error).message.trim().split("\n", 1)[0] as string;
  return (message.split(" was false. ").at(-1) as string).replace(/\.$/, "");
}

process.stdout.write(`${JSON.stringify(await probe(process.argv[2] as string))}\n`);
