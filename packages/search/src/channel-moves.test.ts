import { type ActivationStats, collectStats } from '@awq/calibration'
import { createEngine, type Engine } from '@awq/ort'
import type { QuantSpec } from '@awq/quantize'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openChannelMoves } from './channel-moves.ts'
import { unitsByGroups } from './channel-strategy.ts'
import { activations, ownRows, weights } from './fixtures/data.ts'
import { evaluateScales } from './scale-loss.ts'

const width = 56
const spec: QuantSpec = { bits: 3, groupSize: 16, symmetric: false }
const siblings = [
  { data: weights(40 * width, 7), rows: 40 },
  { data: weights(600 * width, 8), rows: 600 },
]
let engine: Engine
let stats: ActivationStats
beforeAll(async () => {
  engine = await createEngine({ threads: 1 })
  stats = await collectStats(engine, activations(200, width, 3), width)
})
afterAll(async () => {
  await engine.dispose()
})

it('finds what a move changes the whole loss by, also after moves in other groups', async () => {
  const start = Float32Array.from({ length: width }, (_, at) => 0.8 + (at % 5) / 10)
  const evaluate = (scales: readonly Float32Array[]) =>
    evaluateScales(engine, { weights: siblings, width, gram: stats.gram, spec }, scales)
  const context = { engine, weights: siblings, width, stats, spec, producerRow: ownRows(width), name: 'x', evaluate }
  const moves = await openChannelMoves(context, start)
  let now = start
  for (const [groups, columns] of [
    [
      [0, 2],
      [3, 40],
    ],
    [[3], [55]],
    [[2], [33, 34]],
  ] as const) {
    const window = await moves.open(groups, now)
    const move = (factor: number) => {
      const scale = window.scale.slice()
      for (const column of columns) scale[window.indexOf(column)]! *= factor
      return scale
    }
    const whole = (factor: number) => now.map((value, at) => (columns.includes(at as never) ? value * factor : value))
    const [before, ...after] = (await evaluate([now, whole(0.7), whole(1.4)])) as [number, number, number]
    const changes = await window.changes([move(0.7), move(1.4)])
    changes.forEach((change, at) => {
      expect(Math.abs(before + change - after[at]!)).toBeLessThan(1e-5 * before)
    })
    await window.take(move(1.4))
    expect(Math.abs((await window.changes([window.scale]))[0]!)).toBeLessThan(1e-6 * before)
    window.close()
    now = whole(1.4)
  }
  moves.dispose()
})

it('moves the columns of a producer row together, those of the same groups one after the other', () => {
  const sets = unitsByGroups(Int32Array.of(0, 1, 2, 3, 0, 1, 2, 3, 4, 5), 4)
  expect([...sets]).toEqual([
    [
      '0,1',
      [
        [0, 4],
        [1, 5],
        [2, 6],
        [3, 7],
      ],
    ],
    ['2', [[8], [9]]],
  ])
})
