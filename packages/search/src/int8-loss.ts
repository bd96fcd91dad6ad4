import { Graph, reshape, slice } from '@awq/onnx'
import { cachedSession, type Engine, tensor } from '@awq/ort'
import { checkSpec, effectiveGroupSize, groupsPerRow, type QuantSpec } from '@awq/quantize'
import { AwqError } from '@awq/tensor'
import { emitGrid, emitRanges, emitRounded } from './fake-quantize.ts'
import { activationBlock, emitRoundedActivations } from './int8-activations.ts'
import { resident } from './resident.ts'
import { rowChunks } from './row-chunks.ts'
import { checkScales, chunkTensor, padScale, type ScaleProblem, type SearchOptions } from './scale-loss.ts'
import type { EvaluateScales } from './strategy.ts'

/** What a scale is judged on when activations are rounded too. */
export interface Int8Problem extends Omit<ScaleProblem, 'gram'> {
  /** [tokens, width]: activations themselves, because what rounding does to them is no function of the Gram matrix. */
  readonly sample: Float32Array
}

/**
 * The objective `int8-activations`: for each scale s, ||Q(W S) q8(S^-1 x) - W x||^2, summed over outputs, mean over the
 * sample's tokens. Q rounds weights as the quantizer stores them; q8 rounds activations as MatMulNBits does at accuracy
 * level 4 ({@link emitRoundedActivations}), in blocks as long as the weights' ({@link activationBlock}). Where that level
 * has no kernel, activations stay float32. The objective of SmoothQuant (arXiv 2211.10438, eq. 3) for a search.
 *
 * @returns the losses of scales [width]; rejects with AwqError INVALID_ARGUMENT for scales that are not positive, and
 *   `signal.reason`
 * @throws AwqError INVALID_ARGUMENT for shapes that do not fit
 */
export function int8Loss(engine: Engine, problem: Int8Problem, options: SearchOptions = {}): EvaluateScales {
  const { weights, width, sample } = problem
  const spec = checkSpec(problem.spec)
  const tokens = sample.length / width
  if (!Number.isSafeInteger(width) || width < 1 || !Number.isSafeInteger(tokens) || tokens < 1) {
    throw new AwqError('INVALID_ARGUMENT', `a sample of ${sample.length} values is no matrix of width ${width}`)
  }
  const padded = effectiveGroupSize(spec.groupSize, width) * groupsPerRow(spec.groupSize, width)
  const chunks = rowChunks(weights, width, padded)
  const block = activationBlock(spec, width)
  const sessionOf = (name: string, build: () => Graph) =>
    cachedSession(engine, `search int8 ${name} ${width} ${JSON.stringify(spec)}`, () => build().toBytes())
  const x = tensor('float32', [tokens, width], sample)
  let exact: Promise<Float32Array[]> | undefined
  const exactOutputs = async () => {
    const session = await sessionOf('outputs', () => outputsGraph(width, padded))
    const outputs: Float32Array[] = []
    for (const chunk of chunks) {
      options.signal?.throwIfAborted()
      outputs.push((await session.run({ x, weight: chunkTensor(chunk, padded) })).y!.data as Float32Array)
    }
    return outputs
  }
  return async (scales) => {
    checkScales(width, scales)
    exact ??= exactOutputs()
    const expected = await exact
    const rounding = await sessionOf('activations', () => activationsGraph(width, block))
    const session = await sessionOf('loss', () => lossGraph(width, padded, spec))
    const held = resident(engine)
    try {
      const parts = chunks.map((chunk, index) => ({
        weight: held.keep(chunkTensor(chunk, padded)),
        expected: held.keep(tensor('float32', [tokens, chunk.rows], expected[index]!)),
      }))
      const losses: number[] = []
      for (const scale of scales) {
        const inverse = tensor(
          'float32',
          [width],
          scale.map((value) => 1 / value),
        )
        const rounded = held.keep((await rounding.run({ x, inverse })).rounded!)
        const multiplier = tensor('float32', [padded], padScale(scale, padded))
        let loss = 0
        for (const part of parts) {
          options.signal?.throwIfAborted()
          const outputs = await session.run({ ...part, x: rounded, scale: multiplier })
          loss += outputs.loss!.data[0] as number
        }
        losses.push(loss / tokens)
        options.onProgress?.({ done: losses.length, total: scales.length })
      }
      return losses
    } finally {
      held.dispose()
    }
  }
}

const cut = (graph: Graph, weight: ReturnType<typeof reshape>, width: number, padded: number) =>
  padded === width ? weight : slice(graph, weight, { axis: 1, start: 0, end: width })

/** `x` [tokens, width], `weight` [rows, padded] -> `y` = x W^T. */
function outputsGraph(width: number, padded: number): Graph {
  const graph = new Graph('int8-outputs')
  const x = graph.input('x', 'float32', ['tokens', width])
  const weight = graph.input('weight', 'float32', ['rows', padded])
  graph.output('y', graph.add('Gemm', [x, cut(graph, weight, width, padded)], { transB: 1 }))
  return graph
}

/** `x` [tokens, width], `inverse` [width] -> `rounded` = q8(x / s). */
function activationsGraph(width: number, block: number | null): Graph {
  const graph = new Graph('int8-activations')
  const x = graph.input('x', 'float32', ['tokens', width])
  const scaled = graph.add('Mul', [x, graph.input('inverse', 'float32', [width])])
  graph.output('rounded', block === null ? scaled : emitRoundedActivations(graph, scaled, width, block))
  return graph
}

/** `x` rounded [tokens, width], `weight` [rows, padded], `scale` [padded], `expected` [tokens, rows] -> `loss`. */
function lossGraph(width: number, padded: number, spec: QuantSpec): Graph {
  const graph = new Graph('int8-loss')
  const x = graph.input('x', 'float32', ['tokens', width])
  const weight = graph.input('weight', 'float32', ['rows', padded])
  const scale = graph.input('scale', 'float32', [padded])
  const expected = graph.input('expected', 'float32', ['tokens', 'rows'])
  const groups = reshape(graph, graph.add('Mul', [weight, scale]), [-1, effectiveGroupSize(spec.groupSize, width)])
  const { low, high } = emitRanges(graph, groups)
  const rounded = emitRounded(graph, groups, emitGrid(graph, low, high, spec), spec)
  const product = graph.add('Gemm', [x, cut(graph, reshape(graph, rounded, [-1, padded]), width, padded)], {
    transB: 1,
  })
  graph.output('loss', graph.add('ReduceSumSquare', [graph.add('Sub', [product, expected])], { keepdims: 0 }))
  return graph
}
