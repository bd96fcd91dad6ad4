/**
 * The record of a whole quantization from those of its blocks.
 * @module
 */
import { modelParameters } from '@awq/models'
import type { Engine } from '@awq/ort'
import type { StoreEntry } from '@awq/quantize'
import { byteLength } from '@awq/tensor'
import type { FoldedGroup } from './block-state.ts'
import { type CalibrationTokens, calibrationFacts } from './calibration-text.ts'
import type { JournalBlock } from './journal.ts'
import { METHOD_OPTIONS, type Method } from './methods.ts'
import type { QuantizeResult } from './quantize.ts'
import type { QuantizationRecord, TensorRecord } from './record.ts'
import type { SourceModel } from './source-model.ts'
import { visionTensors, weightCount } from './vision-tensors.ts'

/** What is known of a variant's blocks and tensors. */
export interface RecordedVariant {
  /** Finished blocks in order, those of an interrupted run included. */
  readonly blocks: readonly JournalBlock[]
  readonly folded: readonly FoldedGroup[]
  readonly tensors: readonly TensorRecord[]
}

/** `model.layers.0.mlp.up_proj.weight.codes` -> `model.layers.0.mlp.up_proj.weight`, where that is a parameter. */
const parameterOf = (entry: string, parameters: ReadonlySet<string>): string => {
  const whole = entry.slice(0, Math.max(0, entry.lastIndexOf('.')))
  return parameters.has(entry) || !parameters.has(whole) ? entry : whole
}

/** The tensors of a model with their bytes in the checkpoint and in a store of `entries`. */
export const tensorRecords = (model: SourceModel, entries: readonly StoreEntry[]): TensorRecord[] => {
  const { description, checkpoint } = model
  const shapes = new Map([...modelParameters(description)].map(({ name, shape }) => [name, shape]))
  for (const { source } of visionTensors(model)) shapes.set(source.name, source.shape)
  const head = description.headTable
  // A tied head has no parameter of its own, and is one in the store when its bits are others than the embedding's.
  if (!shapes.has(head) && entries.some(({ name }) => name === head || name.startsWith(`${head}.`)))
    shapes.set(head, shapes.get(description.embedding)!)
  const known = new Set(shapes.keys())
  const stored = new Map<string, number>()
  for (const { name, dtype, shape } of entries) {
    const parameter = parameterOf(name, known)
    stored.set(parameter, (stored.get(parameter) ?? 0) + byteLength(dtype, shape))
  }
  return [...shapes].map(([name, shape]) => ({
    name,
    shape,
    floatBytes: checkpoint.tensors.get(name)?.length ?? 0,
    storedBytes: stored.get(name) ?? 0,
  }))
}

/** Options that decide the result; what says where files lie, or who may read them, is not recorded. */
const RECORDED_OPTIONS: readonly string[] = [
  ...['bits', 'groupSize', 'symmetric', 'headBits', 'embeddingBits', 'visionBits', 'targetBpw', 'targetBytes'],
  ...METHOD_OPTIONS,
  ...['keepSalient', 'salientBy', 'samples', 'moeCalibrateAll', 'length', 'seed'],
]

const recordedOptions = (options: object): QuantizationRecord['options'] => {
  const recorded: Record<string, string | number | boolean> = {}
  for (const name of RECORDED_OPTIONS) {
    const given: unknown = (options as Record<string, unknown>)[name]
    const value = typeof given === 'object' && given !== null && 'name' in given ? given.name : given
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') recorded[name] = value
  }
  return recorded
}

/** Versions of the program that runs this, where it tells them. */
const hostVersions = (): Record<string, string> => {
  const versions = (globalThis as { process?: { versions?: { node?: string } } }).process?.versions
  return versions?.node ? { node: versions.node } : {}
}

/** What a record is made of. */
export interface RecordParts {
  readonly model: SourceModel
  readonly method: Method
  /** Of `quantize`. */
  readonly options: object
  readonly engine: Pick<Engine, 'name' | 'device' | 'threads'>
  readonly recorded: RecordedVariant
  readonly tokens: CalibrationTokens | null
  readonly result: QuantizeResult
}

/** Puts a record together. */
export const quantizationRecord = (parts: RecordParts): QuantizationRecord => {
  const { model, method, options, engine, recorded, tokens, result } = parts
  const { description, folder } = model
  const { blocks, folded, tensors } = recorded
  const bytes = new Map(tensors.map(({ name, storedBytes }) => [name, storedBytes]))
  const bytesOf = (layer: number, name: string) => bytes.get(description.parameter(layer, `${name}.weight`)) ?? 0
  return {
    format: 'awq-record',
    version: 1,
    model: {
      name: folder.name.split(/[/\\]/).at(-1) ?? folder.name,
      type: description.config.modelType,
      layers: description.config.layers,
      parameters: weightCount(model),
    },
    method: {
      name: method.name,
      propagate: method.propagate,
      passes: method.passes.map((pass) => ({ name: pass.name, ...(pass.options ? { options: pass.options } : {}) })),
    },
    options: recordedOptions(options),
    versions: hostVersions(),
    engine: { name: engine.name, device: engine.device, threads: engine.threads },
    calibration: tokens ? calibrationFacts(tokens) : null,
    linears: blocks.flatMap(({ record }) =>
      (record?.linears ?? []).map((linear) => ({ ...linear, bytes: bytesOf(linear.layer, linear.name) })),
    ),
    inputs: blocks.flatMap(({ record }) => record?.inputs ?? []),
    scaleGroups: folded,
    tensors,
    stages: result.stages,
    missingLayers: blocks.filter(({ record }) => !record).map(({ layer }) => layer),
    resumedLayers: result.resumedLayers,
    seconds: result.seconds,
    ...(result.peakRssBytes === undefined ? {} : { peakRssBytes: result.peakRssBytes }),
    inputBytes: result.inputBytes,
    outputBytes: result.outputBytes,
  }
}
