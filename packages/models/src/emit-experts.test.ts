import { Graph, type Value } from '@awq/onnx'
import { createEngine, type Engine, tensor } from '@awq/ort'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ExpertTokens, emitExperts } from './emit-experts.ts'
import { emitRoute } from './emit-route.ts'
import { inputBinding } from './float-weights.ts'
import type { ExpertsStep, RouteStep } from './steps.ts'

let engine: Engine
beforeAll(async () => {
  engine = await createEngine({ threads: 1 })
})
afterAll(() => engine.dispose())

let state = 7
const random = (): number => {
  state = (state * 48271) % 2147483647
  return state / 2147483647 - 0.5
}
const randoms = (length: number): Float32Array => Float32Array.from({ length }, random)

const [BATCH, LENGTH, EXPERTS] = [2, 5, 8] as const
const route = (more: Partial<RouteStep>): RouteStep => ({
  ...{ step: 'route', from: 'logits', to: 'routing', experts: EXPERTS, chosen: 3, score: 'softmax', normalized: false },
  ...more,
})

/** What the step's comments say, token by token. */
const expectedRouting = (logits: Float32Array, correction: Float32Array, step: RouteStep): number[] => {
  const rows: number[] = []
  for (let token = 0; token < logits.length / EXPERTS; token++) {
    const row = [...logits.subarray(token * EXPERTS, (token + 1) * EXPERTS)]
    const total = row.reduce((sum, value) => sum + Math.exp(value), 0)
    const scores = row.map((value) => (step.score === 'softmax' ? Math.exp(value) / total : 1 / (1 + Math.exp(-value))))
    const judged = scores.map((score, expert) => score + (step.correction ? correction[expert]! : 0))
    const { count, chosen, best } = step.groups ?? { count: 1, chosen: 1, best: 1 }
    const size = EXPERTS / count
    const groups = Array.from({ length: count }, (_, group) => {
      const own = judged.slice(group * size, (group + 1) * size).sort((a, b) => b - a)
      return { group, score: own.slice(0, best).reduce((sum, value) => sum + value, 0) }
    })
    const taken = new Set(
      groups
        .sort((a, b) => b.score - a.score)
        .slice(0, chosen)
        .map(({ group }) => group),
    )
    const order = judged
      .map((score, expert) => ({ score, expert }))
      .filter(({ expert }) => taken.has(Math.floor(expert / size)))
      .sort((a, b) => b.score - a.score)
      .slice(0, step.chosen)
      .map(({ expert }) => expert)
    const sum = order.reduce((all, expert) => all + scores[expert]!, 0)
    const weights = new Array<number>(EXPERTS).fill(0)
    for (const expert of order) weights[expert] = (scores[expert]! / (step.normalized ? sum : 1)) * (step.factor ?? 1)
    rows.push(...weights)
  }
  return rows
}

describe('routing', () => {
  test.each<[string, Partial<RouteStep>]>([
    ['softmax', {}],
    ['one expert', { chosen: 1, normalized: true }],
    ['softmax, normalized', { normalized: true }],
    ['sigmoid with a factor', { score: 'sigmoid', factor: 2.5 }],
    ['a correction that moves the choice', { score: 'sigmoid', correction: 'correction', normalized: true }],
    ['groups by their best', { groups: { count: 4, chosen: 2, best: 1 } }],
    [
      'groups by their two best',
      { score: 'sigmoid', correction: 'correction', groups: { count: 2, chosen: 1, best: 2 } },
    ],
  ])('%s', async (_, more) => {
    const step = route(more)
    const logits = randoms(BATCH * LENGTH * EXPERTS).map((value) => 6 * value)
    const correction = randoms(EXPERTS)
    const graph = new Graph('route')
    graph.output('y', emitRoute(graph, graph.input('x', 'float32', [BATCH, LENGTH, EXPERTS]), step, inputBinding()))
    await using session = await engine.createSession(graph.toBytes())
    const feeds = { x: tensor('float32', [BATCH, LENGTH, EXPERTS], logits) }
    const vector = step.correction ? { correction: tensor('float32', [EXPERTS], correction) } : {}
    const { y } = await session.run({ ...feeds, ...vector })
    const expected = expectedRouting(logits, correction, step)
    for (const [i, value] of expected.entries()) expect(Number(y!.data[i])).toBeCloseTo(value, 5)
  })
})

describe('a mixture', () => {
  const width = 6
  const step: ExpertsStep = {
    ...{ step: 'experts', from: 'x', routing: 'routing', to: 'y', experts: EXPERTS, chosen: 2, steps: [] },
  }
  /** Expert e multiplies by e + 1; weights of two experts for each token, none ever for the last two. */
  const x = randoms(BATCH * LENGTH * width)
  const routing = new Float32Array(BATCH * LENGTH * EXPERTS)
  for (let token = 0; token < BATCH * LENGTH; token++) {
    routing[token * EXPERTS + (token % 5)] = 0.25 + token / 64
    routing[token * EXPERTS + 5] = 0.5
  }
  const run = async (form: ExpertTokens) => {
    const graph = new Graph('mixture')
    const own = (expert: number, value: Value) => graph.add('Mul', [value, graph.constant('float32', [], [expert + 1])])
    const value = graph.input('x', 'float32', ['batch', 'sequence', width])
    const weights = graph.input('routing', 'float32', ['batch', 'sequence', EXPERTS])
    const sum = emitExperts(graph, value, weights, step, form, (expert, share) => {
      graph.output(`reached.${expert}`, share.tokens.reached())
      return own(expert, share.value)
    })
    graph.output('y', sum)
    await using session = await engine.createSession(graph.toBytes())
    return session.run({
      x: tensor('float32', [BATCH, LENGTH, width], x),
      routing: tensor('float32', [BATCH, LENGTH, EXPERTS], routing),
    })
  }

  test.each<ExpertTokens>(['chosen', 'spare', 'masked', 'all'])(
    'is the weighted sum of its experts: %s',
    async (form) => {
      const outputs = await run(form)
      expect(outputs.y!.shape).toEqual([BATCH, LENGTH, width])
      x.forEach((value, at) => {
        const token = Math.floor(at / width)
        const factor = (0.25 + token / 64) * ((token % 5) + 1) + 0.5 * 6
        expect(Number(outputs.y!.data[at])).toBeCloseTo(value * factor, 5)
      })
      const reached = Array.from({ length: EXPERTS }, (_, expert) => Number(outputs[`reached.${expert}`]!.data[0]))
      const total = BATCH * LENGTH
      expect(reached).toEqual(form === 'all' ? new Array(EXPERTS).fill(total) : [2, 2, 2, 2, 2, total, 0, 0])
    },
  )
})
