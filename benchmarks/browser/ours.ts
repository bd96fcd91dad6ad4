/** Our runtime in a page. */

import { createEngine } from '@awq/ort'
import { loadModel } from '@awq/runtime'
import { urlFolder } from '@awq/tensor/browser'
import { type Figures, figuresOf, type Job } from './figures.ts'

/** Loads a model and generates. */
export const measureOurs = async ({ url, device, accuracy, worker, prompt, tokens }: Job): Promise<Figures> => {
  const started = performance.now()
  const engine = await createEngine({ device, worker })
  const model = await loadModel(urlFolder(url), { engine, accuracy })
  const loadSeconds = (performance.now() - started) / 1000
  try {
    const generate = async (count: number): Promise<{ times: number[]; ids: number[]; start: number }> => {
      const [times, ids, start] = [[] as number[], [] as number[], performance.now()]
      for await (const { id } of model.generate({ prompt }, { maxNewTokens: count, ignoreEos: true })) {
        times.push(performance.now())
        ids.push(id)
      }
      return { times, ids, start }
    }
    await generate(4)
    const made = await generate(tokens)
    const memory = await engine.memory?.()
    return { ...figuresOf(made), loadSeconds, heapBytes: memory?.heapBytes, threads: engine.threads }
  } finally {
    await model.dispose()
    await engine.dispose()
  }
}
