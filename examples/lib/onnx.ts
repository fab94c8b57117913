/** Writes ONNX files: the messages of onnx.proto that a model needs, encoded by protobufjs. */
import * as protobuf from 'protobufjs';

/** Names and field numbers are those of the ONNX specification (onnx/onnx.proto). */
const SCHEMA = `
syntax = "proto2";
package onnx;
message OperatorSetId { optional string domain = 1; optional int64 version = 2; }
message Tensor {
  repeated int64 dims = 1; optional int32 data_type = 2; optional string name = 8;
  optional bytes raw_data = 9;
}
message Attribute {
  optional string name = 1; optional float f = 2; optional int64 i = 3; repeated int64 ints = 8;
  optional int32 type = 20;
}
message Node {
  repeated string input = 1; repeated string output = 2; optional string name = 3;
  optional string op_type = 4; repeated Attribute attribute = 5;
}
message Dimension { oneof value { int64 dim_value = 1; string dim_param = 2; } }
message Shape { repeated Dimension dim = 1; }
message TensorType { optional int32 elem_type = 1; optional Shape shape = 2; }
message Type { oneof value { TensorType tensor_type = 1; } }
message ValueInfo { optional string name = 1; optional Type type = 2; }
message Graph {
  repeated Node node = 1; optional string name = 2; repeated Tensor initializer = 5;
  repeated ValueInfo input = 11; repeated ValueInfo output = 12;
}
message Model {
  optional int64 ir_version = 1; optional string producer_name = 2; optional Graph graph = 7;
  repeated OperatorSetId opset_import = 8;
}`;

/** TensorProto.DataType */
export const ONNX_TYPES = {
  float32: 1,
  uint8: 2,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  bfloat16: 16,
} as const;

export type OnnxType = keyof typeof ONNX_TYPES;
type Attribute = number | readonly number[];

/** AttributeProto.AttributeType */
const [FLOAT, INT, INTS] = [1, 2, 7];

/** A graph under construction: every method returns the name of a value. */
export class GraphBuilder {
  private readonly nodes: object[] = [];
  private readonly initializers: object[] = [];
  private readonly inputs: object[] = [];
  private readonly outputs: object[] = [];
  private count = 0;

  input(name: string, type: OnnxType, shape: readonly (number | string)[]): string {
    this.inputs.push(valueInfo(name, type, shape));
    return name;
  }

  output(name: string, type: OnnxType, shape: readonly (number | string)[]): void {
    this.outputs.push(valueInfo(name, type, shape));
  }

  constant(data: Float32Array | BigInt64Array, dims: readonly number[]): string {
    const name = `c${this.count++}`;
    const data_type = data instanceof Float32Array ? ONNX_TYPES.float32 : ONNX_TYPES.int64;
    const raw_data = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    this.initializers.push({ name, dims: [...dims], data_type, raw_data });
    return name;
  }

  ints(...values: readonly number[]): string {
    return this.constant(BigInt64Array.from(values, BigInt), [values.length]);
  }

  node(
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
    output = `v${this.count++}`,
  ): string {
    const attribute = Object.entries(attributes).map(([name, value]) => {
      if (typeof value !== 'number') return { name, ints: [...value], type: INTS };
      return Number.isInteger(value)
        ? { name, i: value, type: INT }
        : { name, f: value, type: FLOAT };
    });
    this.nodes.push({ op_type: op, name: output, input: [...inputs], output: [output], attribute });
    return output;
  }

  /** The bytes of the .onnx file. Versions of ONNX Runtime know opsets up to one of their own. */
  encode(opset = 17): Uint8Array {
    const { root } = protobuf.parse(SCHEMA, { keepCase: true });
    const Model = root.lookupType('onnx.Model');
    const graph = {
      name: 'graph',
      node: this.nodes,
      initializer: this.initializers,
      input: this.inputs,
      output: this.outputs,
    };
    const model = {
      ir_version: 8,
      producer_name: 'codec-patch-stream example',
      opset_import: [{ domain: '', version: opset }],
      graph,
    };
    return Model.encode(Model.fromObject(model)).finish();
  }
}

function valueInfo(name: string, type: OnnxType, shape: readonly (number | string)[]): object {
  const dim = shape.map((side) =>
    typeof side === 'number' ? { dim_value: side } : { dim_param: side },
  );
  return { name, type: { tensor_type: { elem_type: ONNX_TYPES[type], shape: { dim } } } };
}
