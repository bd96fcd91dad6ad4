import { Graph } from '@awq/onnx'
import { cachedSession, type Engine } from '@awq/ort'
import { AwqError, dequantize, type QuantizedMatrix } from '@awq/tensor'
import { emitGramForm, gramFeeds } from './gram-form.ts'
import { resident } from './resident.ts'
import { rowChunks } from './row-chunks.ts'
import { chunkTensor } from './scale-loss.ts'

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
  const error = dequantize(quantized)
  for (let index = 0; index < error.length; index++) error[index]! -= weight[index]!
  const session = await cachedSession(engine, `search loss ${width}`, () => {
    const graph = new Graph('quantization-loss')
    graph.output('loss', emitGramForm(graph, graph.input('error', 'float32', ['rows', width]), width))
    return graph.toBytes()
  })
  const held = resident(engine)
  try {
    const grams = Object.entries(gramFeeds(gram, width, width)).map(
      ([name, value]) => [name, held.keep(value)] as const,
    )
    let loss = 0
    for (const chunk of rowChunks([{ data: error, rows }], width, width)) {
      options.signal?.throwIfAborted()
      const outputs = await session.run({ ...Object.fromEntries(grams), error: chunkTensor(chunk, width) })
      loss += outputs.loss!.data[0] as number
    }
    return loss
  } finally {
    held.dispose()
  }
}
