/**
 * One quantized model in the making: its plan, its store, its journal.
 * @module
 */
import { readParameter } from '@awq/models'
import {
  checkSpec,
  MANIFEST_FILE,
  type Provenance,
  planStore,
  type QuantSpec,
  type StoreEntry,
  type StoreWriter,
} from '@awq/quantize'
import { AwqError, byteLength, checkFinite, type Folder, fromFloat32 } from '@awq/tensor'
import type { BlockState, FoldedGroup } from './block-state.ts'
import type { CalibrationOptions, CalibrationTokens } from './calibration-text.ts'
import { checkpointHash } from './checkpoint-hash.ts'
import { exportStore, isStoreAlone, mayScaleVectors } from './export-store.ts'
import { beginJournal, type JournalBlock, type JournalKey, readJournal, sha256 } from './journal.ts'
import { blockEntries, denseEntry } from './layout.ts'
import { writeManifest } from './manifest.ts'
import type { Method } from './methods.ts'
import { type BitsPlan, checkPlan, commonSpec, type LinearSpecs, specsOfLayer, uniformPlan } from './plan.ts'
import type { PlannedVariant } from './plan-target.ts'
import type { OnProgress } from './progress.ts'
import type { QuantizationOptions } from './quantize.ts'
import type { BlockRecord } from './record.ts'
import { type RecordedVariant, tensorRecords } from './record-model.ts'
import type { SourceModel } from './source-model.ts'
import type { StageClock } from './stages.ts'
import { planTables, type TablePlan, tableEntries, tableSpec, writeTable } from './tables.ts'
import { type VisionTensor, visionEntries, visionTensors, writeVision } from './vision-tensors.ts'
import type { Workspace } from './workspace.ts'

/** What to make. */
export interface VariantOptions extends QuantizationOptions {
  readonly method: Method
  readonly workspace: Workspace
  /** The plan that was made for a target size, and what it was made from; in place of the bits of the options. */
  readonly planned?: PlannedVariant | undefined
  /** The formats to write; default our own store alone. */
  readonly formats?: readonly string[] | undefined
  /** The command that is at work, for the model card. */
  readonly command?: string | undefined
  /** Measures the finished store, for the model card. */
  readonly measure?: ((store: Folder) => Promise<Provenance['evaluation']>) | undefined
}

/** A variant whose store is open. */
export interface Variant {
  readonly method: Method
  readonly workspace: Workspace
  /** Bits and group of the linears of a block, by base name. */
  readonly specsOf: (layer: number) => LinearSpecs
  /** Whether scale groups that need a vector of their own may be scaled: not every format can hold one. */
  readonly scaleVectors: boolean
  /** Blocks that an interrupted run finished. */
  readonly resumed: readonly JournalBlock[]
  writeBlock(block: BlockState, record?: BlockRecord): Promise<void>
  /**
   * Writes tables, final norm, config, tokenizer and manifest, and moves all to its place; what it measures and exports is
   * timed as stages of their own. Returns bytes written.
   */
  finish(
    tokens: CalibrationTokens | undefined,
    how: {
      readonly time: StageClock['time']
      readonly signal?: AbortSignal | undefined
      readonly onProgress: OnProgress
    },
  ): Promise<number>
  /** What is known of the blocks written so far, and the tensors of the store. */
  readonly recorded: RecordedVariant
  /** Closes the files; the work stays for a later `resume`. */
  close(): Promise<void>
}

/** The part of a journal's key that all variants share: the model and the calibration tokens. */
export const inputsKey = async (
  model: SourceModel,
  tokens: CalibrationTokens | undefined,
  { moeCalibrateAll = false }: CalibrationOptions = {},
): Promise<JournalKey> => {
  const { blocks = [], length = 0, sequences = [] } = tokens ?? {}
  const ids = new Int32Array(blocks.length * length)
  for (const [i, block] of blocks.entries()) ids.set(block, i * length)
  const shown = sequences.map(({ ids, key }) => `${key} ${ids.join()}`)
  return {
    config: await sha256(new TextEncoder().encode(model.configText)),
    checkpoint: await checkpointHash(model),
    calibration: await sha256(new Uint8Array(ids.buffer)),
    ...(shown.length > 0 ? { images: await sha256(new TextEncoder().encode(shown.join('\n'))) } : {}),
    ...(moeCalibrateAll ? { moeCalibrateAll } : {}),
  }
}

/** The passes of a method and their options. */
export const passesKey = ({ passes }: Method): string =>
  passes.map(({ name, options }) => name + JSON.stringify(options ?? {})).join(',')

/** Hash over what decides the result: two runs with the same key write the same bytes. */
const journalKey = async (
  inputs: JournalKey,
  { method, plan: given, planned }: VariantOptions,
  spec: QuantSpec,
  plan: BitsPlan,
  { tables, vision }: { readonly tables: readonly TablePlan[]; readonly vision: readonly VisionTensor[] },
  scaleVectors: boolean,
): Promise<JournalKey> => ({
  ...inputs,
  method: method.name,
  passes: passesKey(method),
  propagate: method.propagate,
  bits: spec.bits,
  groupSize: spec.groupSize,
  symmetric: spec.symmetric,
  target: planned?.target ?? null,
  plan:
    given || planned
      ? await sha256(new TextEncoder().encode(JSON.stringify(Object.entries(plan.linears).sort())))
      : null,
  tables: tables.map((table) => `${table.name}:${table.spec?.bits ?? 16}`).join(','),
  ...(vision.some(({ linear }) => linear) ? { visionBits: 8 } : {}),
  ...(scaleVectors ? {} : { scaleVectors }),
})

/** The plan given, or the one that the options ask for. */
const planOf = (model: SourceModel, options: VariantOptions): { readonly plan: BitsPlan; readonly spec: QuantSpec } => {
  const { description } = model
  const given = options.planned?.model.plan ?? options.plan
  if (given) {
    const plan = checkPlan(description, given)
    return { plan, spec: commonSpec(description, plan) }
  }
  const spec = checkSpec({
    bits: options.bits ?? options.method.bits ?? 4,
    groupSize: options.groupSize ?? 128,
    symmetric: options.symmetric ?? false,
  })
  const tables = {
    embedding: tableSpec(options.embeddingBits ?? 8, spec),
    head: tableSpec(options.headBits ?? 8, spec),
  }
  return { plan: uniformPlan(description, spec, tables), spec }
}

/** Files of at most 1 GiB, because browsers load them whole; a single table that is larger gets a file that fits it. */
const fileLimit = (entries: readonly StoreEntry[]): number =>
  Math.max(2 ** 30, ...entries.map(({ dtype, shape }) => byteLength(dtype, shape) + 2 ** 16))

/**
 * Opens a variant: checks its options, plans its store, and reads the journal of an interrupted run.
 * @param inputs the result of `inputsKey`
 * @throws AwqError for impossible options, for a journal written with other options
 */
export const openVariant = async (
  model: SourceModel,
  options: VariantOptions,
  inputs: JournalKey,
  resume: boolean,
): Promise<Variant> => {
  const { description, checkpoint } = model
  const { plan, spec } = planOf(model, options)
  const specsOf = (layer: number) => specsOfLayer(description, plan, layer)
  const tables = planTables(checkpoint, description, plan)
  const { workspace, method } = options
  const vision = visionTensors(model, options.visionBits)
  const salient = method.salient?.fraction ?? 0
  const entries: StoreEntry[] = [
    ...tables.flatMap(tableEntries),
    ...Array.from({ length: description.config.layers }, (_, layer) =>
      blockEntries(description, specsOf(layer), layer, salient),
    ).flat(),
    ...description.outer.dense.map(({ name, shape }) => denseEntry(name, 'F32', shape)),
    ...visionEntries(vision),
  ]
  const forms = { model, plan, tables, vision, salient }
  const scaleVectors = await mayScaleVectors(forms, options)
  const key = await journalKey(inputs, options, spec, plan, { tables, vision }, scaleVectors)
  if (workspace.unfinished && !resume) await workspace.discard()
  const resumed = await readJournal(workspace, key)
  const store: StoreWriter = await workspace.openStore(planStore(entries, { maxFileBytes: fileLimit(entries) }), {
    keep: resumed.flatMap(({ layer }) =>
      blockEntries(description, specsOf(layer), layer, salient).map(({ name }) => name),
    ),
  })
  try {
    await beginJournal(workspace, key, resumed, options.planned?.model)
  } catch (error) {
    await store.close()
    throw error
  }
  const folded: FoldedGroup[] = resumed.flatMap((block) => block.folded)
  const blocks: JournalBlock[] = [...resumed]
  return {
    method,
    workspace,
    specsOf,
    scaleVectors,
    resumed,
    recorded: { blocks, folded, tensors: tensorRecords(model, entries) },
    async writeBlock(block, record) {
      await writeBlockTensors(block, store)
      await store.flush()
      folded.push(...block.folded)
      const finished: JournalBlock = { layer: block.layer, folded: block.folded, record }
      blocks.push(finished)
      await workspace.appendJournal(JSON.stringify(finished))
    },
    async finish(used, { time, signal, onProgress }) {
      const onRows = (completed: number, total: number) =>
        onProgress({ type: 'progress', stage: 'tables', completed, total })
      for (const table of tables) await writeTable(table, store, { signal, onRows })
      for (const spec of description.outer.dense)
        await store.write(spec.name, storedVector(spec.name, await readParameter(checkpoint, spec)))
      await writeVision(model, vision, store, { signal })
      await store.finish()
      const { command, formats, measure } = options
      const parts = { ...forms, scaleVectors, workspace, method, folded, tokens: used, command }
      await writeManifest(parts, signal)
      if (measure) {
        const evaluation = await time('evaluate', async () => measure(await workspace.folder()))
        await writeManifest({ ...parts, evaluation }, signal)
      }
      return formats && !isStoreAlone(formats)
        ? await time('export', () => exportStore(workspace, formats, { signal, onProgress }))
        : await workspace.commit(MANIFEST_FILE)
    },
    close: () => store.close(),
  }
}

/** The bytes of a norm or a bias. @throws AwqError `NUMERIC` when it is not finite */
const storedVector = (name: string, values: Float32Array): Uint8Array => {
  checkFinite(name, [values.length], values)
  return fromFloat32(values, 'F32')
}

const writeBlockTensors = async (block: BlockState, store: StoreWriter): Promise<void> => {
  const { description, structure, layer } = block
  const linears = new Map(structure.linears.map((linear) => [`${linear.name}.weight`, linear.name]))
  for (const { name } of structure.parameters) {
    const full = description.parameter(layer, name)
    const linear = linears.get(name)
    if (linear === undefined) {
      await store.write(full, storedVector(full, block.weights.get(name)!))
      continue
    }
    const matrix = block.quantized.get(linear)
    if (!matrix)
      throw new AwqError('INVALID_ARGUMENT', `the method left ${full} without codes: it needs a rounding pass`)
    await store.writeMatrix(full, matrix)
  }
}
