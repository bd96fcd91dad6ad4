import type { FileRange } from '@awq/tensor'
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import {
  type AttributeProtoSchema,
  AttributeProto_AttributeType as Kind,
  ModelProtoSchema,
  TensorProto_DataLocation,
  type TensorProtoSchema,
  type ValueInfoProtoSchema,
} from 'onnx-buf'
import { encodeConstant } from './constants.ts'
import { isUnknown } from './dims.ts'
import type { AttributeKind, AttributeValues } from './ops/row.ts'
import { type OnnxType, onnxTypes, type Shape } from './types.ts'

export interface TypedName {
  readonly name: string
  readonly dtype: OnnxType
  readonly shape: Shape
}

export interface EncodedInitializer extends TypedName {
  readonly bytes: Uint8Array<ArrayBuffer> | FileRange
}

export interface EncodedNode {
  readonly name: string
  readonly op: string
  readonly domain: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes: readonly { readonly name: string; readonly kind: AttributeKind; readonly value: unknown }[]
}

export interface EncodedGraph {
  readonly name: string
  readonly nodes: readonly EncodedNode[]
  readonly inputs: readonly TypedName[]
  readonly outputs: readonly TypedName[]
  readonly initializers: readonly EncodedInitializer[]
}

/** The versions every graph declares. IR 10 is the one that came with operator set 21. */
const irVersion = 10n
const operatorSets = [
  { domain: '', version: 21n },
  { domain: 'com.microsoft', version: 1n },
]

/** The protobuf bytes of a model (onnx.proto, ModelProto). */
export function encodeModel(graph: EncodedGraph): Uint8Array {
  return toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, {
      irVersion,
      producerName: '@awq/onnx',
      opsetImport: operatorSets,
      graph: {
        name: graph.name,
        input: graph.inputs.map(valueInfo),
        output: graph.outputs.map(valueInfo),
        initializer: graph.initializers.map(initializer),
        node: graph.nodes.map(({ name, op, domain, inputs, outputs, attributes }) => ({
          name,
          opType: op,
          domain,
          input: [...inputs],
          output: [...outputs],
          attribute: attributes.map(attribute),
        })),
      },
    }),
  )
}

function valueInfo({ name, dtype, shape }: TypedName): MessageInitShape<typeof ValueInfoProtoSchema> {
  const dim = shape.map((size) => {
    if (typeof size === 'number') return { value: { case: 'dimValue' as const, value: BigInt(size) } }
    return isUnknown(size) ? {} : { value: { case: 'dimParam' as const, value: size } }
  })
  return { name, type: { value: { case: 'tensorType', value: { elemType: onnxTypes[dtype].code, shape: { dim } } } } }
}

function initializer({ name, dtype, shape, bytes }: EncodedInitializer): MessageInitShape<typeof TensorProtoSchema> {
  const tensor = { name, dataType: onnxTypes[dtype].code, dims: shape.map((size) => BigInt(size)) }
  if (bytes instanceof Uint8Array) return { ...tensor, rawData: bytes }
  return {
    ...tensor,
    dataLocation: TensorProto_DataLocation.EXTERNAL,
    externalData: [
      { key: 'location', value: bytes.file },
      { key: 'offset', value: String(bytes.offset) },
      { key: 'length', value: String(bytes.length) },
    ],
  }
}

type AttributeInit = MessageInitShape<typeof AttributeProtoSchema>
type AttributeEncoders = { readonly [K in AttributeKind]: (value: AttributeValues[K]) => AttributeInit }

const encoders: AttributeEncoders = {
  int: (value) => ({ type: Kind.INT, i: BigInt(value) }),
  float: (value) => ({ type: Kind.FLOAT, f: value }),
  string: (value) => ({ type: Kind.STRING, s: new TextEncoder().encode(value) }),
  ints: (value) => ({ type: Kind.INTS, ints: value.map(BigInt) }),
  floats: (value) => ({ type: Kind.FLOATS, floats: [...value] }),
  type: (value) => ({ type: Kind.INT, i: BigInt(onnxTypes[value].code) }),
  fill: ({ dtype, value }) => ({
    type: Kind.TENSOR,
    t: { dataType: onnxTypes[dtype].code, dims: [1n], rawData: encodeConstant(dtype, [value], 'attribute value') },
  }),
}

function attribute({ name, kind, value }: EncodedNode['attributes'][number]): AttributeInit {
  const encode = encoders[kind] as (value: unknown) => AttributeInit
  return { ...encode(value), name }
}
