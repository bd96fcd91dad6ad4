/**
 * One walk over a model's blocks that makes any number of quantized variants of it. Variants that are calibrated on the
 * float model share its activations and statistics; each one that is calibrated on its own quantized blocks has a
 * stream of its own.
 * @module
 */
import {
  type ActivationStats,
  type ActivationStream,
  type BlockRunner,
  emptyStream,
  openBlockRunner,
} from '@awq/calibration'
import { type BlockWeights, embedInto, readBlockWeights } from '@awq/models'
import type { Engine } from '@awq/ort'
import { sequenceStream } from '@awq/runtime'
import { collectGarbage } from '#platform'
import type { BlockState, FoldedGroup } from './block-state.ts'
import {
  type CalibrationOptions,
  type CalibrationTokens,
  calibrationTokens,
  type ImageRows,
  tokenCount,
} from './calibration-text.ts'
import { rareExpertsText, settleExperts } from './expert-stats.ts'
import { inputTokensOf, keepInputs, wantsQuantizedInputs } from './kept-inputs.ts'
import type { OnProgress } from './progress.ts'
import { blockState, copyWeights, runPasses, weightsSoFar } from './quantize-block.ts'
import { recordBlock } from './record-block.ts'
import type { RecordedVariant } from './record-model.ts'
import type { SourceModel } from './source-model.ts'
import { type StageClock, type StageSeconds, stageClock, totalSeconds } from './stages.ts'
import { inputsKey, openVariant, type Variant, type VariantOptions } from './variant.ts'
import { seesImages } from './vision-tensors.ts'

/** What to make, of which model, on which text. */
export interface VariantsOptions {
  readonly model: SourceModel
  readonly engine: Engine
  readonly variants: readonly VariantOptions[]
  readonly calibration: CalibrationOptions
  /** Go on with interrupted work; for one variant. */
  readonly resume: boolean
  /** Measure what the passes did to each block. */
  readonly record?: boolean | undefined
  readonly signal: AbortSignal | undefined
  readonly onProgress: OnProgress
}

/** What became of a variant. */
export interface VariantResult {
  readonly outputBytes: number
  /**
   * Seconds that this variant alone would have taken: from the calibration text (when its method reads any) to the
   * manifest, with what it shares with others counted in full.
   */
  readonly seconds: number
  /** What these seconds were spent on. */
  readonly stages: readonly StageSeconds[]
  readonly layers: number
  readonly resumedLayers: number
  readonly recorded: RecordedVariant
  /** null for methods that read no text. */
  readonly tokens: CalibrationTokens | null
}

/** Variants that see the same activations. */
interface StreamGroup {
  readonly variants: readonly Variant[]
  /** False when no method reads statistics: nothing is run then. */
  readonly statistics: boolean
  readonly propagate: 'float' | 'quantized'
  stream: ActivationStream
  /** Sequences of each variant whose method asks for them, as its quantized blocks make them. */
  readonly drifted: Map<Variant, ActivationStream>
  /** True while other groups have the same stream, which may not be written over then. */
  shared: boolean
}

const groupByStream = (variants: readonly Variant[]): StreamGroup[] => {
  const group = (members: readonly Variant[], statistics: boolean, propagate: 'float' | 'quantized'): StreamGroup[] =>
    members.length > 0
      ? [{ variants: members, statistics, propagate, stream: [], drifted: new Map(), shared: false }]
      : []
  const observed = variants.filter(({ method }) => method.statistics)
  return [
    ...group(
      variants.filter(({ method }) => !method.statistics),
      false,
      'float',
    ),
    ...group(
      observed.filter(({ method }) => method.propagate === 'float'),
      true,
      'float',
    ),
    ...observed.filter(({ method }) => method.propagate === 'quantized').flatMap((v) => group([v], true, 'quantized')),
  ]
}

/** All token ids, one sequence after the other. */
const joinedIds = (tokens: CalibrationTokens): Int32Array => {
  const ids = new Int32Array(tokenCount(tokens))
  let at = 0
  for (const part of [...tokens.blocks, ...tokens.sequences.map(({ textIds }) => textIds)]) {
    ids.set(part, at)
    at += part.length
  }
  return ids
}

/** The time that each variant has taken. */
type Clocks = ReadonlyMap<Variant, StageClock>

/** Runs `work` and books the time on every one of `variants`: each would have needed it alone. */
const timed = async <T>(
  clocks: Clocks,
  variants: readonly Variant[],
  stage: string,
  work: () => Promise<T>,
): Promise<T> => {
  const clock = stageClock()
  const result = await clock.time(stage, work)
  for (const { seconds } of clock.seconds()) for (const variant of variants) clocks.get(variant)!.add(stage, seconds)
  return result
}

const spoolName = (layer: number): string => `activations-${layer % 2}`

/**
 * Makes the variants.
 * @returns a result for each variant, in order
 */
export const quantizeVariants = async (options: VariantsOptions): Promise<VariantResult[]> => {
  const { model, engine, signal, onProgress } = options
  const { layers } = model.description.config
  const needsText = options.variants.some(({ method }) => method.statistics)
  const begun = performance.now()
  const read = needsText
    ? await calibrationTokens(model, options.calibration, { engine, signal, onProgress })
    : undefined
  const tokens = read?.tokens
  // Let go of once the streams have them.
  let rows = read?.rows
  if (tokens && !rows && seesImages(model))
    onProgress({
      type: 'warning',
      message:
        `${model.folder.name} sees, but there are no images in the calibration: its language model is calibrated on text alone, ` +
        'and what is written about images may lose more than text does',
    })
  const textSeconds = (performance.now() - begun) / 1000
  const variants: Variant[] = []
  const clocks = new Map<Variant, StageClock>()
  await using runner = openBlockRunner(engine)
  try {
    for (const { workspace } of options.variants)
      if (workspace.unfinished && !options.resume)
        onProgress({
          type: 'warning',
          message: `${workspace.name} holds an interrupted run, which is discarded; --resume would have continued it`,
        })
    const inputs = await inputsKey(model, tokens, options.calibration)
    for (const variant of options.variants) {
      const opened = await openVariant(model, variant, inputs, options.resume)
      variants.push(opened)
      clocks.set(opened, stageClock())
    }
    const groups = groupByStream(variants)
    const calibrated = variants.filter(({ method }) => method.statistics)
    for (const variant of calibrated) clocks.get(variant)!.add('tokenize', textSeconds)
    const first = options.resume ? variants[0]!.resumed.length : 0
    if (tokens) await timed(clocks, calibrated, 'embed', () => beginStreams(options, groups, { tokens, rows }, first))
    rows = undefined
    onProgress({ type: 'stage', stage: 'blocks' })
    // Tens of megabytes of text and tokenizer, which nobody would collect until as much again is asked for.
    collectGarbage()
    const started = performance.now()
    for (let layer = first; layer < layers; layer++) {
      signal?.throwIfAborted()
      const layerStarted = performance.now()
      const folded = await walkLayer(options, runner, groups, layer, clocks)
      // The next block needs as much memory again, which it would ask for before this one's is found to be free.
      collectGarbage()
      const elapsed = (performance.now() - started) / 1000
      onProgress({
        type: 'layer',
        layer,
        layers,
        groups: folded,
        seconds: (performance.now() - layerStarted) / 1000,
        etaSeconds: (elapsed / (layer + 1 - first)) * (layers - layer - 1),
      })
    }
    onProgress({ type: 'stage', stage: 'tables' })
    const results: VariantResult[] = []
    for (const variant of variants) {
      const clock = clocks.get(variant)!
      const { time } = clock
      const outputBytes = await time('tables', () => variant.finish(tokens, { time, signal, onProgress }))
      const stages = clock.seconds()
      results.push({
        outputBytes,
        seconds: totalSeconds(stages),
        stages,
        layers: layers - first,
        resumedLayers: first,
        recorded: variant.recorded,
        tokens: variant.method.statistics ? (tokens ?? null) : null,
      })
    }
    return results
  } finally {
    for (const variant of variants) await variant.close()
  }
}

/** Gives every group that needs one its stream: the embedded tokens, or the activations an interrupted run saved. */
const beginStreams = async (
  { model, engine, signal, onProgress }: VariantsOptions,
  groups: readonly StreamGroup[],
  { tokens, rows }: { readonly tokens: CalibrationTokens; readonly rows: ImageRows | undefined },
  first: number,
): Promise<void> => {
  const { checkpoint, description } = model
  const { hiddenSize, layers } = description.config
  const needing = groups.filter(({ statistics }) => statistics && first < layers)
  if (needing.length === 0) return
  onProgress({ type: 'stage', stage: 'embed' })
  const text = emptyStream(tokens.blocks.length, tokens.length, hiddenSize)
  const stream = [...text, ...tokens.sequences.map((sequence) => sequenceStream(sequence, hiddenSize))]
  if (first > 0) {
    // Only one variant can be resumed.
    const [variant] = needing[0]!.variants
    const { passes } = variant!.method
    const drifted = wantsQuantizedInputs(passes) ? keepInputs(stream, inputTokensOf(passes)) : []
    const arrays = [...stream, ...drifted].map(({ data }) => data as Float32Array)
    await variant!.workspace.readArrays(spoolName(first), arrays)
    if (drifted.length > 0) needing[0]!.drifted.set(variant!, drifted)
  } else {
    await embedInto(engine, checkpoint, description, joinedIds(tokens), stream, { signal })
    for (const [i, sequence] of tokens.sequences.entries()) rows!.putRows(sequence, stream[text.length + i]!)
  }
  for (const group of needing) {
    group.stream = stream
    group.shared = needing.length > 1
  }
}

/** What a variant's passes see of the stream, before it moves on. At the first block nothing has drifted yet. */
const keptBy = (group: StreamGroup, variant: Variant): Pick<BlockState, 'inputs' | 'quantizedInputs'> => {
  const { passes } = variant.method
  const inputs = keepInputs(group.stream, inputTokensOf(passes))
  if (!wantsQuantizedInputs(passes)) return { inputs, quantizedInputs: [] }
  const quantizedInputs = group.drifted.get(variant) ?? inputs
  group.drifted.set(variant, [...quantizedInputs])
  return { inputs, quantizedInputs }
}

/** Reads one block and quantizes it for every variant; in a function of its own, whose end lets go of the weights. */
const walkLayer = async (
  options: VariantsOptions,
  runner: BlockRunner,
  groups: readonly StreamGroup[],
  layer: number,
  clocks: Clocks,
): Promise<FoldedGroup[]> => {
  const { model, signal } = options
  const weights = await timed(clocks, [...clocks.keys()], 'read', () =>
    readBlockWeights(model.checkpoint, model.description, layer, { signal }),
  )
  const folded: FoldedGroup[] = []
  for (const group of groups) {
    const blocks = await walkGroup(options, runner, group, layer, weights, clocks)
    folded.push(...blocks.flatMap((block) => block.folded))
  }
  return folded
}

/** Quantizes one block for every variant of a group, and moves the group's stream past it. */
const walkGroup = async (
  options: VariantsOptions,
  runner: BlockRunner,
  group: StreamGroup,
  layer: number,
  weights: BlockWeights,
  clocks: Clocks,
): Promise<BlockState[]> => {
  const { signal, onProgress, model } = options
  const structure = model.description.blocks[layer]!
  const last = layer === model.description.config.layers - 1
  const runOptions = {
    name: model.description.blockName(layer),
    allExperts: options.calibration.moeCalibrateAll,
    signal,
    onBatch: (completed: number) =>
      onProgress({
        type: 'progress',
        stage: 'blocks',
        completed,
        total: group.stream.length,
        message: `layer ${layer + 1} of ${model.description.config.layers}`,
      }),
  }
  const { workspace } = group.variants[0]!
  await using spool =
    group.statistics && !last && options.variants.length === 1
      ? await workspace.writeArrays(spoolName(layer + 1))
      : undefined
  /** Moves the group's stream past the block, and to the disk. */
  const pass = async (weights: BlockWeights, observe: boolean) => {
    const run = await runner.run(structure, weights, group.stream, {
      ...runOptions,
      observe,
      outputs: group.shared ? 'new' : group.stream,
      onBatch: (done, { data }) => {
        runOptions.onBatch(done)
        spool?.append(data as Float32Array)
      },
    })
    group.stream = run.outputs
    group.shared = false
    return run.stats
  }
  const forward = async (weights: BlockWeights, stream: ActivationStream) =>
    (await runner.run(structure, weights, stream, { name: runOptions.name, signal, observe: false })).outputs
  const kept = new Map(group.variants.map((variant) => [variant, keptBy(group, variant)]))
  const collected = !group.statistics
    ? new Map<string, ActivationStats>()
    : await timed(clocks, group.variants, 'statistics', async () =>
        group.propagate === 'float'
          ? await pass(weights, true)
          : (await runner.run(structure, weights, group.stream, { ...runOptions, observe: true, outputs: 'none' }))
              .stats,
      )
  const settled = settleExperts(structure, collected)
  const { stats } = settled
  if (settled.rare.length > 0) onProgress({ type: 'warning', message: rareExpertsText(runOptions.name, settled) })
  const blocks: BlockState[] = []
  for (const variant of group.variants) {
    const clock = clocks.get(variant)!
    // Passes change what they are given: the weights are needed once more where another variant or the record reads them.
    const own = options.variants.length === 1 && !options.record ? weights : copyWeights(weights)
    const block = blockState({
      ...{ layer, engine: options.engine, description: model.description, weights: own, stats, ...kept.get(variant)! },
      ...{ specs: variant.specsOf(layer), scaleVectors: variant.scaleVectors, time: clock.time, signal },
    })
    await runPasses(block, variant.method.passes)
    blocks.push(block)
    const record = options.record ? await clock.time('record', () => recordBlock(block, { weights, stats })) : undefined
    if (group.propagate === 'quantized' && !last) await clock.time('forward', () => pass(weightsSoFar(block), false))
    const drifted = group.drifted.get(variant)
    if (drifted && !last) {
      const next = block.quantizedOutputs ?? (await clock.time('forward', () => forward(weightsSoFar(block), drifted)))
      for (const { data } of next) spool?.append(data as Float32Array)
      group.drifted.set(variant, [...next])
    }
    await clock.time('write', async () => {
      await spool?.finish()
      await variant.writeBlock(block, record)
    })
  }
  return blocks
}
