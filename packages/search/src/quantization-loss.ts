import { Graph } from '@awq/onnx'
import { cachedSession, type Engine } from '@awq/ort'
import { AwqError, dequantize, type QuantizedMatrix } from '@awq/tensor'
import { emitGramForm, gramFeeds } from './gram-form.ts'
import { resident } from './resident.ts'
import { rowChunks } from './row-chunks.ts'
import { chunkTensor } from './scale-loss.ts'

/**
 * tr(M G M^T) of each matrix M: the mean square of M x over the inputs x that `gram` is the mean of, summed over outputs.
 * With M = W it is the power of a linear's outputs, with M = W' - W the squared error of a W' in its place. The Gram
 * matrix is prepared once for all of them.
 *
 * @param gram [in, in], symmetric: mean of x x^T over the input
 * @param matrices each makes its matrix, [rows, in], when its turn comes: one is in memory at a time
 * @throws AwqError INVALID_ARGUMENT for shapes that do not fit; `signal.reason` when aborted.
 */
export async function gramForms(
  engine: Engine,
  gram: Float32Array,
  width: number,
  matrices: readonly (() => Float32Array)[],
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<number[]> {
  if (gram.length !== width * width) {
    throw new AwqError('INVALID_ARGUMENT', `a gram matrix of ${gram.length} values is not [${width}, ${width}]`)
  }
  const session = await cachedSession(engine, `search loss ${width}`, () => {
    const graph = new Graph('quantization-loss')
    graph.output('loss', emitGramForm(graph, graph.input('error', 'float32', ['rows', width]), width))
    return graph.toBytes()
  })
  const held = resident(engine)
  try {
    const grams = Object.fromEntries(
      Object.entries(gramFeeds(gram, width, width)).map(([name, value]) => [name, held.keep(value)]),
    )
    const forms: number[] = []
    for (const make of matrices) {
      const data = make()
      let form = 0
      for (const chunk of rowChunks([{ data, rows: data.length / width }], width, width)) {
        options.signal?.throwIfAborted()
        const outputs = await session.run({ ...grams, error: chunkTensor(chunk, width) })
        form += outputs.loss!.data[0] as number
      }
      forms.push(form)
    }
    return forms
  } finally {
    held.dispose()
  }
}

/**
 * tr(E G E^T) with E = dequantized - weight: the mean squared error of the linear's outputs, summed over outputs.
 *
 * @param weight [out, in], as it was quantized
 * @param gram [in, in], symmetric: mean of x x^T over the input
 * @throws AwqError INVALID_ARGUMENT for shapes that do not fit; `signal.reason` when aborted.
 */
export async function quantizationLoss(
  engine: Engine,
  weight: Float32Array,
  quantized: QuantizedMatrix,
  gram: Float32Array,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<number> {
  const [rows, width] = quantized.shape
  if (weight.length !== rows * width || gram.length !== width * width) {
    throw new AwqError(
      'INVALID_ARGUMENT',
      `a weight of ${weight.length} and a gram matrix of ${gram.length} values do not fit a quantized matrix [${rows}, ${width}]`,
    )
  }
  const error = () => {
    const values = dequantize(quantized)
    for (let index = 0; index < values.length; index++) values[index]! -= weight[index]!
    return values
  }
  const [loss] = await gramForms(engine, gram, width, [error], options)
  return loss!
}
