import type { Dim, OnnxType, Shape, Value } from '../types.ts'

/** What an attribute's value is in TypeScript, by kind. `type` is an element type; `fill` a one-element tensor. */
export interface AttributeValues {
  readonly int: number
  readonly float: number
  readonly string: string
  readonly ints: readonly number[]
  readonly floats: readonly number[]
  readonly type: OnnxType
  readonly fill: { readonly dtype: OnnxType; readonly value: number }
}

export type AttributeKind = keyof AttributeValues

/** One attribute of an operator. Without `value` and not required it may be absent, which the operator understands. */
export interface AttributeRow<Kind extends AttributeKind = AttributeKind, Required extends boolean = boolean> {
  readonly kind: Kind
  readonly required: Required
  /** The operator's default. */
  readonly value?: AttributeValues[Kind]
  /** The only values allowed. */
  readonly choices?: readonly AttributeValues[Kind][]
}

/** An optional attribute with the operator's default, if it has one. */
export function optional<const Kind extends AttributeKind>(
  kind: Kind,
  value?: AttributeValues[Kind],
  choices?: readonly AttributeValues[Kind][],
): AttributeRow<Kind, false> {
  return { kind, required: false, ...(value !== undefined && { value }), ...(choices && { choices }) }
}

/** An attribute that must be given. */
export function required<const Kind extends AttributeKind>(
  kind: Kind,
  choices?: readonly AttributeValues[Kind][],
): AttributeRow<Kind, true> {
  return { kind, required: true, ...(choices && { choices }) }
}

/** A 0/1 attribute. */
export const flag = (value: 0 | 1) => optional('int', value, [0, 1])

/** What a row's functions see of the node they work on. Inputs that were left out are null. */
export interface NodeView {
  readonly inputs: readonly (Value | null)[]
  /** How many outputs the caller asked for; only operators with a free number of outputs look at it. */
  readonly outputCount: number | undefined
  /** The shape of an input that must be present. */
  shape(input: number): Shape
  /** The shape of an input, or null when it is absent. */
  shapeIf(input: number): Shape | null
  /** An int or float attribute, by its default when not given. */
  number(attribute: string): number
  /** An int attribute that may be absent. */
  numberIf(attribute: string): number | undefined
  ints(attribute: string): readonly number[] | undefined
  text(attribute: string): string
  /** The elements of an integer input when they were known while building; symbolic where they come from a Shape. */
  content(input: number): readonly Dim[] | null
  /** As `content`, when every element is a number. */
  numbers(input: number): readonly number[] | null
  /** A dimension nobody knows yet. */
  fresh(): Dim
  /** The shape the caller promised for the first output, for operators that cannot know it. */
  readonly promised: Shape | undefined
  /** Throws INVALID_ARGUMENT naming graph, node, operator and the input shapes. */
  fail(problem: string): never
}

/**
 * One operator. Types are written as a type variable of `types` or an element type, with `?` for "may be left out" and
 * `*` for "any number from here on" (last only). Outputs use the same notation; `=name` takes the element type from
 * the attribute `name`.
 */
export interface OpRow {
  /** Absent for the standard operators. */
  readonly domain?: 'com.microsoft'
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  /** What each type variable may stand for. */
  readonly types?: Readonly<Record<string, readonly OnnxType[]>>
  readonly attributes: Readonly<Record<string, AttributeRow>>
  /** The shapes of the outputs, in order; checks the input shapes and the attributes on the way. */
  readonly infer: (node: NodeView) => readonly Shape[]
  /** The elements of the first output, for integer operators that shapes are computed with. */
  readonly content?: (node: NodeView) => readonly Dim[] | null
}

export const floats = ['float32', 'float16', 'bfloat16', 'float64'] as const satisfies readonly OnnxType[]
export const signed = [...floats, 'int8', 'int32', 'int64'] as const satisfies readonly OnnxType[]
export const numeric = [...signed, 'uint8'] as const satisfies readonly OnnxType[]
export const anyType = [...numeric, 'bool'] as const satisfies readonly OnnxType[]
export const indexTypes = ['int32', 'int64'] as const satisfies readonly OnnxType[]
