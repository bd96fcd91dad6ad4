/** Leaves the process while native things are alive or at work. */
import { Graph } from '@awq/onnx'
import { createEngine, zeros } from '@awq/ort'

const size = 256
const graph = new Graph('long')
const x = graph.input('x', 'float32', [size, size])
let power = x
for (let step = 0; step < 400; step += 1) power = graph.add('MatMul', [power, x])
graph.output('y', power)
const model = graph.toBytes()

const engine = await createEngine({ engine: 'native' })
const session = await engine.createSession(model)
const feeds = { x: zeros('float32', [size, size]) }
const bound = session.bind(feeds)
const mode = process.argv[2]
if (mode === 'live') await bound.run()
if (mode === 'running') {
  bound.run()
  setTimeout(() => process.exit(0), 20)
}
if (mode === 'loading') {
  engine.createSession(model)
  process.exit(0)
}
if (mode === 'aborted') {
  const controller = new AbortController()
  const run = bound.run({ signal: controller.signal })
  setTimeout(() => controller.abort(new Error('enough')), 20)
  await run.catch(() => undefined)
}
