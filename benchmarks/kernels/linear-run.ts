/**
 * Linear layers of one shape, each with weights of its own, timed one after another.
 * @module
 */
import { Graph, type Value } from '@awq/onnx'
import { type Engine, tensor, zeros } from '@awq/ort'
import { emitLinear, type LinearForm } from './linear.ts'
import { randomWeights } from './random-weights.ts'

/** Loaded layers of one shape. */
export interface LinearRun {
  /** Bytes of one layer. */
  readonly bytes: number
  /** The mean time of one layer over `runs` passes through all of them, in milliseconds. */
  one(runs: number): Promise<number>
  dispose(): Promise<void>
}

/** What all layers together must at least hold, so that none is still in the processor's cache when its turn comes. */
const enough = 100e6

/** Loads as many layers as make 100 MB. They read the same input; their outputs are joined, which costs next to nothing. */
export async function openLinears(
  engine: Engine,
  size: readonly [inputs: number, outputs: number],
  form: LinearForm,
): Promise<LinearRun> {
  const graph = new Graph('linears')
  const weights = randomWeights(graph)
  const x = graph.input('x', 'float32', [1, size[0]])
  const made: Value[] = []
  let bytes = 0
  let copies = 0
  for (; weights.bytes < enough; copies++) {
    made.push(emitLinear(graph, weights, x, size, form, `layer.${copies}`))
    if (copies === 0) bytes = weights.bytes
  }
  graph.output('y', graph.add('Concat', made, { axis: 0 }))
  const zeroPoints =
    form.symmetric || form.bits === 16 ? 0 : (size[1] * Math.ceil(size[0] / form.block) * form.bits) / 8
  const session = await engine.createSession(graph.toBytes(), { externalData: weights.files })
  const data = Float32Array.from({ length: size[0] }, (_, i) => Math.sin(i))
  const bound = session.bind(
    { x: tensor('float32', [1, size[0]], data) },
    { into: { y: zeros('float32', [copies, size[1]]) } },
  )
  await bound.run()
  return {
    bytes: bytes + zeroPoints,
    async one(runs) {
      const from = performance.now()
      for (let i = 0; i < runs; i++) await bound.run()
      return (performance.now() - from) / runs / copies
    },
    async dispose() {
      bound.dispose()
      await session.dispose()
    },
  }
}
