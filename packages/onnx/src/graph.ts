import { AwqError, type FileRange } from '@awq/tensor'
import { checkAttributes } from './attributes.ts'
import { type ConstantData, contentOf, encodeConstant } from './constants.ts'
import { type EncodedInitializer, type EncodedNode, encodeModel } from './encode.ts'
import { inferOutputs, type PendingNode, readNotation } from './infer.ts'
import { checkName, checkShape, elementsOf } from './names.ts'
import type { OpRow } from './ops/row.ts'
import { type Attributes, type OpName, operators } from './ops/table.ts'
import { type Dim, describeType, isOnnxType, type OnnxType, onnxTypes, type Shape, type Value } from './types.ts'

/** Options of `Graph.add`. */
export interface AddOptions {
  /** The node's name and, for the first output, the value's; made up from the operator's name when absent. */
  readonly name?: string | undefined
  /** The output's shape: names or settles sizes that inference leaves open, and must not contradict the others. */
  readonly shape?: Shape | undefined
}

/** Options of `Graph.addAll`. */
export interface AddAllOptions {
  readonly name?: string | undefined
  /** How many outputs, or which of them are wanted; all that the operator always has when absent. */
  readonly outputs?: number | readonly boolean[] | undefined
  /** Per output of the operator, as `shape` of `AddOptions`. */
  readonly shapes?: readonly (Shape | undefined)[] | undefined
}

/** A node as `Graph.nodes` shows it; an empty name is an input or output that was left out. */
export interface GraphNode {
  readonly name: string
  readonly op: OpName
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes: Readonly<Record<string, unknown>>
}

interface Entry {
  /** Final name in the written graph. */
  name: string
  readonly kind: 'input' | 'initializer' | 'node'
  readonly content: readonly Dim[] | null
  isOutput: boolean
  uses: number
}

interface Node {
  readonly name: string
  readonly op: OpName
  readonly inputs: readonly (Entry | null)[]
  readonly outputs: readonly (Entry | null)[]
  readonly attributes: Readonly<Record<string, unknown>>
}

interface Initializer {
  readonly entry: Entry
  readonly value: Value
  readonly bytes: EncodedInitializer['bytes']
}

/** protobuf messages end at 2 GiB; far below that, weights belong into files. */
const maxInlineBytes = 256 * 2 ** 20

/**
 * A graph under construction (ONNX operator set 21 and com.microsoft 1). Everything is checked when it is added: names,
 * element types, attributes, shapes; errors are INVALID_ARGUMENT and name graph, node, operator and shapes.
 */
export class Graph {
  readonly name: string
  readonly #entries = new WeakMap<Value, Entry>()
  readonly #names = new Set<string>()
  readonly #inputs: Value[] = []
  readonly #outputs: Value[] = []
  readonly #nodes: Node[] = []
  readonly #initializers: Initializer[] = []
  #inlineBytes = 0
  #unknowns = 0
  #numbers = new Map<string, number>()

  /** An empty graph. `name` appears in messages and in the file. */
  constructor(name: string) {
    checkName(name, 'graph name')
    this.name = name
  }

  /** Declares an input that is fed on every run. */
  input(name: string, dtype: OnnxType, shape: Shape): Value {
    this.#checkTyped(name, dtype, shape, 'input')
    const value = this.#register(name, dtype, shape, 'input', null)
    this.#inputs.push(value)
    return value
  }

  /**
   * Makes a value an output of the graph under `name` and returns it under that name. The value itself takes the name;
   * an input, a constant, or a value that is an output already is copied by an Identity node.
   */
  output(name: string, value: Value): Value {
    const entry = this.#entryOf(value, `output '${name}'`)
    if (entry.kind !== 'node' || entry.isOutput) return this.output(name, this.add('Identity', [value]))
    if (entry.name !== name) {
      this.#claim(name, 'output')
      this.#names.delete(entry.name)
      entry.name = name
    }
    entry.isOutput = true
    const named: Value = Object.freeze({ name, dtype: value.dtype, shape: value.shape })
    this.#entries.set(named, entry)
    this.#outputs.push(named)
    return named
  }

  /**
   * A tensor written into the graph itself. `data` has as many elements as `shape`; a Uint16Array for float16 holds bit
   * patterns, bool takes 0 and 1. Meant for small tensors: a graph holds at most 256 MiB of them.
   */
  constant(dtype: OnnxType, shape: readonly number[], data: ConstantData, name?: string): Value {
    const given = name ?? this.#newName('constant')
    this.#checkTyped(given, dtype, shape, 'constant')
    const count = elementsOf(shape, `constant '${given}' of graph '${this.name}'`)
    if (data.length !== count) {
      this.#refuse(`constant '${given}'`, `[${shape.join(', ')}] takes ${count} elements, ${data.length} given`)
    }
    if (this.#inlineBytes + count * onnxTypes[dtype].width > maxInlineBytes) {
      this.#refuse(`constant '${given}'`, 'more than 256 MiB of constants: keep tensors in a file and use external()')
    }
    const bytes = encodeConstant(dtype, data, `constant '${given}' of graph '${this.name}'`)
    this.#inlineBytes += bytes.length
    const content = shape.length <= 1 ? contentOf(data) : null
    return this.#initialize(given, dtype, shape, bytes, content)
  }

  /**
   * A tensor whose bytes (row-major, little-endian) lie in a file: `location.file` is relative to the folder given to
   * the engine and stays inside it, `offset` counts from the start of the file and needs no alignment.
   */
  external(name: string, dtype: OnnxType, shape: readonly number[], location: FileRange): Value {
    this.#checkTyped(name, dtype, shape, 'initializer')
    const what = `initializer '${name}'`
    const { file, offset, length } = location
    const steps = file.split('/')
    if (file === '' || /[\\\0:]/.test(file) || steps.some((step) => step === '' || step === '.' || step === '..')) {
      this.#refuse(what, `${JSON.stringify(file)} is not a relative path that stays in the model's folder`)
    }
    const bytes = elementsOf(shape, `${what} of graph '${this.name}'`) * onnxTypes[dtype].width
    if (!Number.isSafeInteger(offset) || offset < 0) this.#refuse(what, `offset ${offset} in ${file}`)
    if (length !== bytes) {
      this.#refuse(what, `${dtype}[${shape.join(', ')}] takes ${bytes} bytes, but ${length} are given in ${file}`)
    }
    return this.#initialize(name, dtype, shape, { file, offset, length }, null)
  }

  /** Adds a node and returns its first output. Inputs that are optional may be null. */
  add<Op extends OpName>(
    op: Op,
    inputs: readonly (Value | null)[],
    attributes?: Attributes<Op>,
    options: AddOptions = {},
  ): Value {
    return this.addAll(op, inputs, attributes, { name: options.name, shapes: [options.shape] })[0]!
  }

  /** Adds a node and returns those of its outputs that are wanted, in order. */
  addAll<Op extends OpName>(
    op: Op,
    inputs: readonly (Value | null)[],
    attributes?: Attributes<Op>,
    options: AddAllOptions = {},
  ): Value[] {
    if (!Object.hasOwn(operators, op)) this.#refuse(`operator '${op}'`, 'is not in the table')
    const row: OpRow = operators[op]
    if (options.name !== undefined) checkName(options.name, 'node name')
    const name = options.name ?? this.#newName(op)
    const node = `node '${name}' (${op})`
    const given = trimmed(inputs)
    const entries = given.map((input) => input && this.#entryOf(input, node))
    const types = given.map((input) => (input ? describeType(input) : 'none')).join(', ')
    const fail = (problem: string): never => this.#refuse(node, `${problem}; inputs ${types}`)
    const wanted = typeof options.outputs === 'number' ? Array(options.outputs).fill(true) : options.outputs
    const promised = options.shapes ?? []
    for (const shape of promised)
      if (shape) checkShape(shape, `${node} of graph '${this.name}', options.shape`, 'allowed')
    const pending: PendingNode = {
      row,
      inputs: given,
      attributes: checkAttributes(row.attributes, attributes ?? {}, fail),
      outputCount: wanted?.length,
      promised,
      contentOf: (value) => this.#entryOf(value, node).content,
      fresh: () => `?${++this.#unknowns}`,
      fail,
    }
    const inferred = inferOutputs(pending)
    const picked = wanted ?? inferred.map((_, i) => !(readNotation(row.outputs[i] ?? 'T*').optional && !isFree(row)))
    if (picked.length > inferred.length || picked[0] === undefined) {
      fail(`has ${inferred.length} outputs, ${picked.length} were asked for`)
    }
    if (isFree(row) && picked.length !== inferred.length) {
      fail(`gives ${inferred.length} outputs, ${picked.length} were asked for`)
    }
    const values = picked.map((isWanted, i) => {
      const { dtype, shape, content } = inferred[i]!
      return isWanted ? this.#register(i === 0 ? name : `${name}.${i}`, dtype, shape, 'node', content) : null
    })
    for (const entry of entries) if (entry) entry.uses++
    const outputs = values.map((value) => value && this.#entries.get(value)!)
    this.#nodes.push({ name, op, inputs: entries, outputs, attributes: pending.attributes })
    return values.filter((value) => value !== null)
  }

  /** The inputs, in the order they were declared. */
  get inputs(): readonly Value[] {
    return [...this.#inputs]
  }

  /** The outputs, in the order they were declared, under their public names. */
  get outputs(): readonly Value[] {
    return [...this.#outputs]
  }

  /** The nodes in the order they were added, with the names as they will be written. */
  get nodes(): readonly GraphNode[] {
    const nameOf = (entry: Entry | null) => entry?.name ?? ''
    return this.#nodes.map((node) => ({
      ...node,
      inputs: node.inputs.map(nameOf),
      outputs: node.outputs.map(nameOf),
    }))
  }

  /** The initializers in files that the graph uses: what an engine needs beside the graph's own bytes. */
  get externals(): readonly { readonly value: Value; readonly location: FileRange }[] {
    return this.#used().flatMap(({ value, bytes }) => (bytes instanceof Uint8Array ? [] : [{ value, location: bytes }]))
  }

  /**
   * The ONNX file. Constants and initializers that nothing uses are left out. Throws INVALID_ARGUMENT when the graph
   * has no output or a node of which no output is used.
   */
  toBytes(): Uint8Array {
    if (this.#outputs.length === 0) this.#refuse('the graph', 'has no output')
    for (const { name, op, outputs } of this.#nodes) {
      if (!outputs.some((entry) => entry && (entry.isOutput || entry.uses > 0))) {
        this.#refuse(`node '${name}' (${op})`, 'nothing uses its outputs; make one an output or do not add it')
      }
    }
    const nodes = this.nodes.map((node): EncodedNode => {
      const row: OpRow = operators[node.op]
      const attributes = Object.entries(node.attributes).map(([name, value]) => ({
        name,
        kind: row.attributes[name]!.kind,
        value,
      }))
      return { ...node, domain: row.domain ?? '', attributes }
    })
    const initializers = this.#used().map(({ value, bytes }) => ({ ...value, bytes }))
    return encodeModel({ name: this.name, nodes, inputs: this.#inputs, outputs: this.#outputs, initializers })
  }

  #used(): Initializer[] {
    return this.#initializers.filter(({ entry }) => entry.uses > 0)
  }

  #initialize(
    name: string,
    dtype: OnnxType,
    shape: readonly number[],
    bytes: Initializer['bytes'],
    content: readonly Dim[] | null,
  ): Value {
    const value = this.#register(name, dtype, shape, 'initializer', content)
    this.#initializers.push({ entry: this.#entries.get(value)!, value, bytes })
    return value
  }

  #register(name: string, dtype: OnnxType, shape: Shape, kind: Entry['kind'], content: Entry['content']): Value {
    this.#claim(name, kind)
    const value: Value = Object.freeze({ name, dtype, shape: Object.freeze([...shape]) })
    this.#entries.set(value, { name, kind, content, isOutput: false, uses: 0 })
    return value
  }

  #claim(name: string, what: string): void {
    checkName(name, `${what} of graph '${this.name}':`)
    if (this.#names.has(name)) this.#refuse(`${what} '${name}'`, 'the name is taken')
    this.#names.add(name)
  }

  /** `Add_0`, `Add_1`, …: the first that is free. */
  #newName(stem: string): string {
    let number = this.#numbers.get(stem) ?? 0
    while (this.#names.has(`${stem}_${number}`)) number++
    this.#numbers.set(stem, number + 1)
    return `${stem}_${number}`
  }

  #entryOf(value: Value, user: string): Entry {
    const entry = this.#entries.get(value)
    return entry ?? this.#refuse(user, `value '${value?.name}' belongs to another graph`)
  }

  #checkTyped(name: string, dtype: OnnxType, shape: Shape, what: string): void {
    checkName(name, `${what} of graph '${this.name}':`)
    if (!isOnnxType(dtype)) this.#refuse(`${what} '${name}'`, `'${dtype}' is not an element type`)
    checkShape(shape, `${what} '${name}' of graph '${this.name}'`)
  }

  #refuse(where: string, problem: string): never {
    throw new AwqError('INVALID_ARGUMENT', `graph '${this.name}', ${where}: ${problem}`)
  }
}

/** Whether an operator has any number of outputs. */
const isFree = (row: OpRow) => row.outputs[0]?.endsWith('*') ?? false

/** Inputs without the absent ones at the end. */
function trimmed(inputs: readonly (Value | null)[]): readonly (Value | null)[] {
  return inputs.slice(0, inputs.findLastIndex((input) => input !== null) + 1)
}
