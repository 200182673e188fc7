// SPDX-License-Identifier: Apache-2.0
import { type EventFragment, type FunctionFragment, Interface, type ParamType, type Result } from "ethers";
import type { Hex } from "../protocol/bytes.ts";
import { DecodeError } from "../protocol/errors.ts";
import {
  CONSORTIUM_ABI,
  PROOF_OF_TRAINING_ABI,
  PROOF_VERIFIER_ABI,
  SHAPLEY_REWARDS_ABI,
  TEST_TOKEN_ABI,
  TRAINING_LEDGER_ABI,
} from "./abi.generated.ts";

/** Values as Solidity has them: numbers up to 48 bits as `number`, wider ones as `bigint`, bytes as lower-case hex, structs as objects. */
export type ContractValue =
  | boolean
  | number
  | bigint
  | string
  | readonly ContractValue[]
  | { readonly [name: string]: ContractValue };

/** A log of one event, its envelope and topics already checked. */
export interface EventData {
  readonly topics: readonly string[];
  readonly data: string;
}

/**
 * One contract's calls, results, events and errors. Decoding is strict: what was decoded is encoded again and must give the same bytes, since
 * ethers silently masks excess bits and ignores trailing data, and two readers of one endpoint must not differ in what they accept.
 */
export class ContractCodec {
  readonly name: string;
  readonly #interface: Interface;

  constructor(name: string, abi: readonly string[]) {
    this.name = name;
    this.#interface = new Interface(abi);
  }

  encodeCall(functionName: string, args: readonly unknown[]): Hex {
    return this.#interface.encodeFunctionData(this.#function(functionName), args) as Hex;
  }

  /** Values returned by a call: the value itself if there is one, else an object by name. */
  decodeResult(functionName: string, data: string): unknown {
    const fragment = this.#function(functionName);
    const what = `${this.name}.${functionName}`;
    if (data === "0x" && fragment.outputs.length > 0) {
      throw new DecodeError(`${what} returned nothing: there is no such contract at its address.`, { call: what });
    }
    const values = this.#strictly(what, data, () => {
      const result = this.#interface.decodeFunctionResult(fragment, data);
      return { result, again: this.#interface.encodeFunctionResult(fragment, result) };
    });
    const [only] = fragment.outputs;
    return fragment.outputs.length === 1 && only !== undefined
      ? plain(only, values[0])
      : plainObject(fragment.outputs, values);
  }

  eventTopic(eventName: string): Hex {
    return this.#event(eventName).topicHash as Hex;
  }

  decodeEvent(eventName: string, log: EventData): Record<string, unknown> {
    const fragment = this.#event(eventName);
    const what = `Event ${this.name}.${eventName}`;
    const values = this.#strictly(what, [...log.topics, log.data].join(), () => {
      const result = this.#interface.decodeEventLog(fragment, log.data, log.topics);
      const again = this.#interface.encodeEventLog(fragment, [...result]);
      return { result, again: [...again.topics, again.data].join() };
    });
    return plainObject(fragment.inputs, values);
  }

  /** A custom error of this contract; undefined if the data is none. */
  decodeError(data: string): { name: string; args: Record<string, unknown> } | undefined {
    try {
      const parsed = this.#interface.parseError(data);
      return parsed === null
        ? undefined
        : { name: parsed.name, args: plainObject(parsed.fragment.inputs, parsed.args) };
    } catch {
      return undefined;
    }
  }

  #function(name: string): FunctionFragment {
    const fragment = this.#interface.getFunction(name);
    if (fragment === null) throw new TypeError(`${this.name} has no function ${name}.`);
    return fragment;
  }

  #event(name: string): EventFragment {
    const fragment = this.#interface.getEvent(name);
    if (fragment === null) throw new TypeError(`${this.name} has no event ${name}.`);
    return fragment;
  }

  #strictly(what: string, given: string, decode: () => { result: Result; again: string }): Result {
    let decoded: { result: Result; again: string };
    try {
      decoded = decode();
    } catch (cause) {
      throw new DecodeError(
        `${what} cannot be decoded: the endpoint lies, or the address is another contract's.`,
        { what },
        cause,
      );
    }
    if (decoded.again.toLowerCase() !== given.toLowerCase())
      throw new DecodeError(`${what} is not in canonical ABI encoding.`, { what });
    return decoded.result;
  }
}

function plainObject(types: readonly ParamType[], values: Result): Record<string, ContractValue> {
  return Object.fromEntries(types.map((type, i) => [type.name === "" ? String(i) : type.name, plain(type, values[i])]));
}

function plain(type: ParamType, value: unknown): ContractValue {
  if (type.baseType === "array")
    return [...(value as Result)].map((item) => plain(type.arrayChildren as ParamType, item));
  if (type.baseType === "tuple") return plainObject(type.components as readonly ParamType[], value as Result);
  const width = /^u?int(\d+)$/.exec(type.baseType)?.[1];
  if (width !== undefined) return Number(width) <= 48 ? Number(value) : (value as bigint);
  if (type.baseType.startsWith("bytes")) return (value as string).toLowerCase();
  // An indexed dynamic value would arrive as its hash; no event of ours has one.
  return value as boolean | string;
}

export const CONSORTIUM = new ContractCodec("Consortium", CONSORTIUM_ABI);
export const TRAINING_LEDGER = new ContractCodec("TrainingLedger", TRAINING_LEDGER_ABI);
export const PROOF_OF_TRAINING = new ContractCodec("ProofOfTraining", PROOF_OF_TRAINING_ABI);
export const SHAPLEY_REWARDS = new ContractCodec("ShapleyRewards", SHAPLEY_REWARDS_ABI);
export const PROOF_VERIFIER = new ContractCodec("ProofVerifier", PROOF_VERIFIER_ABI);
/** The ERC-20 functions that are used, and `mint` of the development token. */
export const TOKEN = new ContractCodec("Token", TEST_TOKEN_ABI);

const CODECS = [CONSORTIUM, TRAINING_LEDGER, PROOF_OF_TRAINING, SHAPLEY_REWARDS, PROOF_VERIFIER, TOKEN];

/** Name and values of a revert, whichever of our contracts it came from (contracts call each other). */
export function decodeRevertData(data: string): { name: string; args: Record<string, unknown> } {
  for (const codec of CODECS) {
    const decoded = codec.decodeError(data);
    if (decoded !== undefined) return decoded;
  }
  return { name: "Unknown", args: data === "0x" ? {} : { data } };
}
