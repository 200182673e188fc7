// SPDX-License-Identifier: Apache-2.0
import { ProtobufWriter } from "./protobuf.ts";

/**
 * Builds one ONNX model: nodes in order of execution, named inputs and outputs, constants.
 * Field numbers are those of onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
 */

const IR_VERSION = 8;
/** Operator set 17: the newest that every runtime we support implements, and old enough for all of them. */
const OPSET_VERSION = 17;

const ATTRIBUTE_TYPE = { float: 1, integer: 2, text: 3, integers: 7 } as const;
const ELEMENT_TYPE = { float32: 1, int64: 7 } as const;

/** A fixed extent, or the name of one that is known only when the graph runs. */
export type Extent = number | string;

/** Names the ONNX attribute type, which a bare JavaScript number would leave open (1 or 1.0?). */
export type Attribute =
  | { readonly float: number }
  | { readonly integer: number }
  | { readonly text: string }
  | { readonly integers: readonly number[] };

/** A value in a graph, by name. */
export type Value = string & { readonly __value: unique symbol };

/** What differs from device to device. */
export interface GraphOptions {
  /**
   * Whether the runtime adds scattered values one after another, as it does on the processor. GPUs add them in any order, so that a gradient's last
   * bits would change from run to run; sums are then written as products, which have one order.
   */
  readonly scattersInOrder?: boolean;
}

export class GraphBuilder {
  readonly scattersInOrder: boolean;
  readonly #nodes: ProtobufWriter[] = [];
  readonly #inputs: ProtobufWriter[] = [];
  readonly #outputs: ProtobufWriter[] = [];
  readonly #constants: ProtobufWriter[] = [];
  readonly #inputNames: string[] = [];
  readonly #outputNames: string[] = [];
  #fresh = 0;

  constructor({ scattersInOrder = true }: GraphOptions = {}) {
    this.scattersInOrder = scattersInOrder;
  }

  /** A float32 tensor given at each run. */
  input(name: string, shape: readonly Extent[]): Value {
    this.#inputs.push(valueInfo(name, shape));
    this.#inputNames.push(name);
    return name as Value;
  }

  /** Makes a value an output of the graph under a name of its own. */
  output(name: string, value: Value, shape: readonly Extent[]): void {
    this.#append("Identity", [value], [name], {});
    this.#outputs.push(valueInfo(name, shape));
    this.#outputNames.push(name);
  }

  /** Applies an operator whose one result is an output of the graph: saves the copy where others use the result too. */
  applyToOutput(
    name: string,
    shape: readonly Extent[],
    operator: string,
    inputs: readonly Value[],
    attributes: Readonly<Record<string, Attribute>> = {},
  ): Value {
    this.#append(operator, inputs, [name], attributes);
    this.#outputs.push(valueInfo(name, shape));
    this.#outputNames.push(name);
    return name as Value;
  }

  /** An int64 constant: shapes, axes, split sizes. */
  integers(values: readonly number[]): Value {
    const data = new DataView(new ArrayBuffer(8 * values.length));
    values.forEach((value, i) => data.setBigInt64(8 * i, BigInt(value), true));
    return this.#constant(ELEMENT_TYPE.int64, [values.length], data);
  }

  /** A float32 constant of one axis, as a column: [length, 1]. */
  column(values: readonly number[]): Value {
    const data = new DataView(new ArrayBuffer(4 * values.length));
    values.forEach((value, i) => data.setFloat32(4 * i, value, true));
    return this.#constant(ELEMENT_TYPE.float32, [values.length, 1], data);
  }

  /** A float32 scalar. */
  scalar(value: number): Value {
    const data = new DataView(new ArrayBuffer(4));
    data.setFloat32(0, value, true);
    return this.#constant(ELEMENT_TYPE.float32, [], data);
  }

  /** Applies an operator with one result. */
  apply(operator: string, inputs: readonly Value[], attributes: Readonly<Record<string, Attribute>> = {}): Value {
    return this.applyMany(operator, inputs, 1, attributes)[0] as Value;
  }

  /** Applies an operator with several results. */
  applyMany(
    operator: string,
    inputs: readonly Value[],
    results: number,
    attributes: Readonly<Record<string, Attribute>> = {},
  ): Value[] {
    const names = Array.from({ length: results }, () => this.#freshName(operator));
    this.#append(operator, inputs, names, attributes);
    return names;
  }

  get inputNames(): readonly string[] {
    return this.#inputNames;
  }

  get outputNames(): readonly string[] {
    return this.#outputNames;
  }

  /** The serialised ModelProto; equal calls give equal bytes. */
  finish(): Uint8Array {
    const graph = new ProtobufWriter();
    for (const node of this.#nodes) graph.message(1, node);
    graph.string(2, "foedus");
    for (const constant of this.#constants) graph.message(5, constant);
    for (const input of this.#inputs) graph.message(11, input);
    for (const output of this.#outputs) graph.message(12, output);
    const operatorSet = new ProtobufWriter().string(1, "").integer(2, OPSET_VERSION);
    return new ProtobufWriter()
      .integer(1, IR_VERSION)
      .string(2, "foedus")
      .message(7, graph)
      .message(8, operatorSet)
      .finish();
  }

  #append(
    operator: string,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>>,
  ): void {
    const node = new ProtobufWriter();
    for (const name of inputs) node.string(1, name);
    for (const name of outputs) node.string(2, name);
    node.string(3, `${outputs[0]}.node`).string(4, operator);
    for (const [name, attribute] of Object.entries(attributes)) node.message(5, attributeProto(name, attribute));
    this.#nodes.push(node);
  }

  #constant(elementType: number, shape: readonly number[], data: DataView): Value {
    const name = this.#freshName("constant");
    const tensor = new ProtobufWriter();
    for (const extent of shape) tensor.integer(1, extent);
    tensor.integer(2, elementType).string(8, name).bytes(9, new Uint8Array(data.buffer));
    this.#constants.push(tensor);
    return name;
  }

  #freshName(stem: string): Value {
    this.#fresh += 1;
    return `${stem}.${this.#fresh}` as Value;
  }
}

function attributeProto(name: string, attribute: Attribute): ProtobufWriter {
  const proto = new ProtobufWriter().string(1, name);
  if ("float" in attribute) return proto.float(2, attribute.float).integer(20, ATTRIBUTE_TYPE.float);
  if ("integer" in attribute) return proto.integer(3, attribute.integer).integer(20, ATTRIBUTE_TYPE.integer);
  if ("text" in attribute) return proto.string(4, attribute.text).integer(20, ATTRIBUTE_TYPE.text);
  for (const value of attribute.integers) proto.integer(8, value);
  return proto.integer(20, ATTRIBUTE_TYPE.integers);
}

function valueInfo(name: string, shape: readonly Extent[]): ProtobufWriter {
  const dimensions = new ProtobufWriter();
  for (const extent of shape) {
    const dimension = new ProtobufWriter();
    dimensions.message(1, typeof extent === "number" ? dimension.integer(1, extent) : dimension.string(2, extent));
  }
  const tensorType = new ProtobufWriter().integer(1, ELEMENT_TYPE.float32).message(2, dimensions);
  return new ProtobufWriter().string(1, name).message(2, new ProtobufWriter().message(1, tensorType));
}
