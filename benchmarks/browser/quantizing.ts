/** Quantizing in a page. */

import {
  openOutput,
  outputState,
  type QuantizeInWorkerOptions,
  quantizeInWorker,
  removeOutput,
} from '@awq/core/browser'
import { urlFolder } from '@awq/tensor/browser'

/** What a page is asked to quantize; what a page before it has left is gone on with. */
export interface QuantizeJob extends Omit<QuantizeInWorkerOptions, 'model' | 'output' | 'onProgress' | 'signal'> {
  /** Where the model's folder is served. */
  readonly url: string
  /** Where the result's files are put. */
  readonly put: string
}

/** What became of it. */
export interface Quantized {
  readonly seconds: number
  readonly stages: readonly { readonly stage: string; readonly seconds: number }[]
  readonly layers: number
  readonly resumedLayers: number
  readonly heapBytes?: number | undefined
}

const output = 'benchmark'

/** Quantizes a model that lies behind a URL, and sends the result's files back. `tell` hears of every finished block. */
export const quantizeHere = async (
  { url, put, ...options }: QuantizeJob,
  tell: (layer: number, seconds: number) => void,
): Promise<Quantized> => {
  const { seconds, stages, layers, resumedLayers, memory } = await quantizeInWorker({
    ...{ model: urlFolder(url), output, resume: (await outputState(output)).state === 'unfinished', ...options },
    onProgress: (event) => event.type === 'layer' && tell(event.layer, event.seconds),
  })
  const folder = await openOutput(output)
  for (const file of await folder.list()) {
    const source = await folder.open(file)
    await fetch(`${put}${file}`, { method: 'PUT', body: source.blob!(0, source.size) as Blob })
  }
  await removeOutput(output)
  return { seconds, stages, layers, resumedLayers, heapBytes: memory.heapBytes }
}
