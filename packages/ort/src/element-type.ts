import type { OnnxType } from '@awq/onnx'

/** ONNXTensorElementDataType of our types. */
export const elementTypeOf: Readonly<Record<OnnxType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  bfloat16: 16,
}

/** Names of the types that tensors of ours cannot have, for messages. */
const foreign: Readonly<Record<number, string>> = { 4: 'uint16', 5: 'int16', 8: 'string', 12: 'uint32', 13: 'uint64' }

const names = new Map(Object.entries(elementTypeOf).map(([name, number]) => [number, name]))

/** The name of an element type by its number; `type 17` for one that is not known here. */
export const elementTypeName = (number: number): string => names.get(number) ?? foreign[number] ?? `type ${number}`
