/** Prints the resident memory before, amid and after 10,000 rounds of everything that makes and frees native things. */
import { Graph } from '@awq/onnx'
import { createEngine, type Tensor, tensor, zeros } from '@awq/ort'

const graph = new Graph('double')
const input = graph.input('x', 'float32', ['rows', 1024])
graph.output('y', graph.add('Add', [input, input]))
const model = graph.toBytes()

const engine = await createEngine({ engine: 'native', threads: 1 })
const session = await engine.createSession(model)
const x = zeros('float32', [4, 1024])
const y = zeros('float32', [4, 1024])
const wrong = zeros('float32', [5, 1024])

async function round(index: number): Promise<void> {
  await session.run({ x })
  await session.run({ x }, { into: { y } })
  const bound = session.bind({ x }, index % 2 ? { into: { y } } : {})
  await bound.run()
  bound.dispose()
  if (index % 10 === 0) await session.run({ x }, { into: { y: wrong } }).catch(() => undefined)
  const handle = engine.upload(x)
  await session.run({ x: handle }, { into: { y: engine.allocate('float32', [4, 1024]) } })
  handle.dispose()
  if (index % 100 === 0) {
    const other = await engine.createSession(model)
    const small: Tensor = tensor('float32', [1, 1024], new Float32Array(1024))
    await other.run({ x: small })
    await other.dispose()
    await engine.createSession(Uint8Array.of(1)).catch(() => undefined)
  }
}

/** The least of several readings: what is freed late, on a machine that has other work, is no growth. */
async function resident(): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let turn = 0; turn < 12; turn += 1) {
    globalThis.gc?.()
    await new Promise((resolve) => setTimeout(resolve, 40))
    least = Math.min(least, process.memoryUsage.rss())
  }
  return least
}

const readings: number[] = []
for (const rounds of [1500, 5000, 5000]) {
  for (let index = 0; index < rounds; index += 1) await round(index)
  readings.push(await resident())
}
console.log(JSON.stringify(readings))
