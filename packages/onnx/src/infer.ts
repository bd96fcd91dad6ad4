import { contradicts, isUnknown } from './dims.ts'
import type { AttributeRow, AttributeValues, NodeView, OpRow } from './ops/row.ts'
import { type Dim, isOnnxType, type OnnxType, type Shape, type Value } from './types.ts'

/** What a node about to be added is made of, as the builder knows it. */
export interface PendingNode {
  readonly row: OpRow
  readonly inputs: readonly (Value | null)[]
  readonly attributes: Readonly<Record<string, unknown>>
  readonly outputCount: number | undefined
  readonly promised: readonly (Shape | undefined)[]
  readonly contentOf: (value: Value) => readonly Dim[] | null
  readonly fresh: () => Dim
  readonly fail: (problem: string) => never
}

/** What inference says of one output. */
export interface InferredOutput {
  readonly dtype: OnnxType
  readonly shape: Shape
  readonly content: readonly Dim[] | null
}

/** Element types, shapes and known contents of every output the operator can have. */
export function inferOutputs(node: PendingNode): InferredOutput[] {
  const { row, fail, promised } = node
  const bound = bindTypes(node)
  const view = viewOf(node)
  const shapes = row.infer(view).map((shape, i) => merged(shape, promised[i], fail))
  const content = row.content?.(view) ?? null
  return shapes.map((shape, i) => {
    const notation = row.outputs[Math.min(i, row.outputs.length - 1)]!
    return { dtype: outputType(node, notation, bound), shape, content: i === 0 ? content : null }
  })
}

/** Splits the table's notation for an input or output: `T`, `T?` (may be absent), `T*` (any number). */
export function readNotation(notation: string): { type: string; optional: boolean; variadic: boolean } {
  const mark = notation.at(-1)
  const marked = mark === '?' || mark === '*'
  return {
    type: marked ? notation.slice(0, -1) : notation,
    optional: marked,
    variadic: mark === '*',
  }
}

/** Checks number and element types of the inputs; gives the type every type variable stands for. */
function bindTypes({ row, inputs, fail }: PendingNode): Map<string, OnnxType> {
  const bound = new Map<string, OnnxType>()
  const last = row.inputs.at(-1)
  const free = last?.endsWith('*') ?? false
  const needed = row.inputs.findLastIndex((notation) => !readNotation(notation).optional) + 1
  if (inputs.length < needed) fail(`takes at least ${needed} inputs, ${inputs.length} given`)
  if (!free && inputs.length > row.inputs.length)
    fail(`takes at most ${row.inputs.length} inputs, ${inputs.length} given`)
  for (const [i, input] of inputs.entries()) {
    const { type, optional, variadic } = readNotation(row.inputs[i] ?? last!)
    if (input === null) {
      if (!optional || variadic) fail(`input ${i} may not be left out`)
      continue
    }
    const allowed = row.types?.[type] ?? [type as OnnxType]
    if (!allowed.includes(input.dtype)) fail(`input ${i} must be ${allowed.join(', ')}, not ${input.dtype}`)
    const known = bound.get(type)
    if (known && known !== input.dtype) fail(`input ${i} must be ${known} like the one before, not ${input.dtype}`)
    bound.set(type, input.dtype)
  }
  return bound
}

function outputType({ row, attributes, fail }: PendingNode, notation: string, bound: Map<string, OnnxType>): OnnxType {
  if (notation.startsWith('=')) {
    const name = notation.slice(1)
    const value = (attributes[name] ?? row.attributes[name]?.value) as OnnxType | AttributeValues['fill']
    return typeof value === 'string' ? value : value.dtype
  }
  const { type } = readNotation(notation)
  const known = bound.get(type)
  if (known) return known
  // A variable of an optional input that was left out: the first type that is possible at all.
  return isOnnxType(type) ? type : (row.types?.[type]?.[0] ?? fail(`output type ${type} is unknown`))
}

/** The inferred shape, made more precise by what the caller promised. */
function merged(shape: Shape, promised: Shape | undefined, fail: (problem: string) => never): Shape {
  if (!promised) return shape
  const wrong = shape.length !== promised.length || shape.some((dim, axis) => contradicts(dim, promised[axis]!))
  if (wrong) fail(`options.shape [${promised.join(', ')}] contradicts the inferred [${shape.join(', ')}]`)
  return shape.map((dim, axis) => (typeof dim === 'number' || isUnknown(promised[axis]!) ? dim : promised[axis]!))
}

function viewOf(node: PendingNode): NodeView {
  const { row, inputs, attributes, fail } = node
  const attribute = (name: string) => attributes[name] ?? (row.attributes[name] as AttributeRow | undefined)?.value
  const shapeIf = (input: number) => inputs[input]?.shape ?? null
  const content = (input: number) => {
    const value = inputs[input]
    return value ? node.contentOf(value) : null
  }
  return {
    inputs,
    outputCount: node.outputCount,
    promised: node.promised[0],
    shape: (input) => shapeIf(input) ?? fail(`input ${input} is missing`),
    shapeIf,
    number: (name) => attribute(name) as number,
    numberIf: (name) => attribute(name) as number | undefined,
    ints: (name) => attribute(name) as readonly number[] | undefined,
    text: (name) => attribute(name) as string,
    content,
    numbers: (input) => {
      const dims = content(input)
      return dims?.every((dim) => typeof dim === 'number') ? (dims as readonly number[]) : null
    },
    fresh: node.fresh,
    fail,
  }
}
