/**
 * What whole plans cost, measured: the KL divergence at the model's end with all matrices rounded at once. Losses that
 * were measured one at a time say where bits matter; what they come to together, they do not.
 * @module
 */
import { type ActivationStream, openBlockRunner } from '@awq/calibration'
import { arrangedAs, type ModelDescription, readBlockWeights } from '@awq/models'
import { tensor } from '@awq/ort'
import { collectGarbage } from '#platform'
import { settleExperts } from './expert-stats.ts'
import { type BitsPlan, type LinearSpecs, specsOfLayer } from './plan.ts'
import { quantizedBlock, weightsSoFar } from './quantize-block.ts'
import type { MeasuringOptions } from './sensitivity.ts'
import { divergences, rounded } from './sensitivity-head.ts'
import { embedded, joined, rowsAt, scoredPlaces } from './streams.ts'

/** Positions whose predictions are compared, at most. */
const SCORED_ROWS = 1024

/**
 * The divergence that each plan causes, in nats per token, in order. One walk over the blocks serves all: each plan has a
 * residual stream, which goes through the blocks as it quantizes them; plans that give a block the same bits share it.
 * @returns not finite for a plan whose outputs are not
 * @throws AwqError as the method's passes do; rejects with `signal.reason`
 */
export const measurePlans = async (options: MeasuringOptions, plans: readonly BitsPlan[]): Promise<number[]> => {
  const { model, engine, method, measured, signal } = options
  const { description, checkpoint } = model
  const { layers, hiddenSize, vocabSize } = description.config
  await using runner = openBlockRunner(engine)
  let fit = method.statistics ? await embedded(options, options.calibration) : []
  let float = await embedded(options, measured)
  const table = `${description.embedding} on the calibration text`
  const streams = plans.map(({ embedding }): ActivationStream => {
    if (!embedding) return float
    return float.map((batch) => {
      const values = rounded(batch.data as Float32Array, hiddenSize, embedding, table)
      return arrangedAs(tensor('float32', batch.shape, values), batch)
    })
  })
  for (let layer = 0; layer < layers; layer++) {
    signal?.throwIfAborted()
    const weights = await readBlockWeights(checkpoint, description, layer, { signal })
    const structure = description.blocks[layer]!
    const run = { signal, name: description.blockName(layer) }
    const observed = { ...run, observe: fit.length > 0, allExperts: options.allExperts }
    const { outputs, stats: collected } = await runner.run(structure, weights, fit, observed)
    const { stats } = settleExperts(structure, collected)
    for (const { specs, members } of alikeAt(description, plans, layer)) {
      const start = { layer, engine, description, weights, stats, inputs: fit, specs, signal }
      const quantized = weightsSoFar(await quantizedBlock(start, method))
      for (const plan of members)
        streams[plan] = (await runner.run(structure, quantized, streams[plan]!, { ...run, observe: false })).outputs
      collectGarbage()
    }
    float = (await runner.run(structure, weights, float, { ...run, observe: false })).outputs
    fit = outputs
    options.onLayer?.(layer + 1)
  }
  const places = scoredPlaces(measured, vocabSize, SCORED_ROWS)
  const scored = (stream: ActivationStream) => rowsAt(joined(stream), hiddenSize, places)
  return divergences({
    engine,
    description,
    checkpoint,
    reference: scored(float),
    perturbed: plans.map(({ head }, plan) => ({ rows: () => scored(streams[plan]!), head })),
    signal,
  })
}

/** The ways in which plans store a block, each with the places of its plans. */
const alikeAt = (description: ModelDescription, plans: readonly BitsPlan[], layer: number) => {
  const ways = new Map<string, { readonly specs: LinearSpecs; readonly members: number[] }>()
  for (const [place, plan] of plans.entries()) {
    const specs = specsOfLayer(description, plan, layer)
    const key = JSON.stringify([...specs].map(([name, { bits, groupSize }]) => [name, bits, groupSize]))
    const way = ways.get(key) ?? { specs, members: [] }
    ways.set(key, way)
    way.members.push(place)
  }
  return [...ways.values()]
}
