/** The element types a graph value may have, by their numpy-like names. */
export type OnnxType = 'float32' | 'float16' | 'bfloat16' | 'float64' | 'uint8' | 'int8' | 'int32' | 'int64' | 'bool'

/**
 * One dimension: a size, or the name of a size known only at run time. A name that starts with `?` is one the builder
 * made up because the size could not be worked out; it is written to the file as an unknown dimension.
 */
export type Dim = number | string

/** The dimensions of a tensor, outermost first; `[]` is a scalar. */
export type Shape = readonly Dim[]

/** A tensor that flows through one graph. Values are made by a `Graph` and belong to it. */
export interface Value {
  readonly name: string
  readonly dtype: OnnxType
  readonly shape: Shape
}

/** For every element type: its number in ONNX's TensorProto.DataType and its bytes per element. */
export const onnxTypes: Readonly<Record<OnnxType, { readonly code: number; readonly width: number }>> = {
  float32: { code: 1, width: 4 },
  uint8: { code: 2, width: 1 },
  int8: { code: 3, width: 1 },
  int32: { code: 6, width: 4 },
  int64: { code: 7, width: 8 },
  bool: { code: 9, width: 1 },
  float16: { code: 10, width: 2 },
  float64: { code: 11, width: 8 },
  bfloat16: { code: 16, width: 2 },
}

/** Whether a string names an element type. */
export function isOnnxType(name: unknown): name is OnnxType {
  return typeof name === 'string' && Object.hasOwn(onnxTypes, name)
}

/** A value's type as messages show it: `float32[batch, 64]`. */
export function describeType(value: Pick<Value, 'dtype' | 'shape'>): string {
  return `${value.dtype}[${value.shape.join(', ')}]`
}
