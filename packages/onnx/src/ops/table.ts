import { attention } from './attention.ts'
import { elementwise } from './elementwise.ts'
import { matrix } from './matrix.ts'
import { movement } from './movement.ts'
import { quantized } from './quantized.ts'
import { reductions } from './reduction.ts'
import type { AttributeRow, AttributeValues } from './row.ts'

/**
 * Every operator a graph may use: ONNX operator set 21 (https://onnx.ai/onnx/operators/) and version 1 of ONNX
 * Runtime's `com.microsoft` domain (its ContribOperators.md).
 */
export const operators = {
  ...elementwise,
  ...reductions,
  ...movement,
  ...matrix,
  ...quantized,
  ...attention,
}

/** The name of an operator. */
export type OpName = keyof typeof operators

type RowsOf<Op extends OpName> = (typeof operators)[Op]['attributes']
type ValueOf<Row> = Row extends AttributeRow<infer Kind, boolean> ? AttributeValues[Kind] : never

type IsRequired<Row> = Row extends AttributeRow<infer _, true> ? true : false

/** The attributes of an operator: those it needs, and those that have a default or may be absent. */
export type Attributes<Op extends OpName> = [keyof RowsOf<Op>] extends [never]
  ? Readonly<Record<string, never>>
  : {
      readonly [Name in keyof RowsOf<Op> as IsRequired<RowsOf<Op>[Name]> extends true ? Name : never]: ValueOf<
        RowsOf<Op>[Name]
      >
    } & {
      readonly [Name in keyof RowsOf<Op> as IsRequired<RowsOf<Op>[Name]> extends true ? never : Name]?:
        | ValueOf<RowsOf<Op>[Name]>
        | undefined
    }
