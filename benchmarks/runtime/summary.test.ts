import { describe, expect, it } from 'vitest'
import { type Measurement, ratios, summarize } from './summary.ts'
import { figuresTable, ratiosTable } from './table.ts'

const measurement = (speed: number, prefill: number, disturbed = false): Measurement => ({
  round: 0,
  figures: {
    decode: [
      { context: 16, tokensPerSecond: speed },
      { context: 512, tokensPerSecond: speed / 2 },
    ],
    prefill: { tokens: 512, tokensPerSecond: prefill },
    loadSeconds: 0.25,
    peakRssBytes: 100 * 2 ** 20,
  },
  otherCores: 0,
  stolenCores: 0,
  disturbed,
})
const contexts = [16, 512, 1500]
const summary = (name: string, weights: string, ...speeds: [number, number][]) =>
  summarize(
    { key: name, name, weights },
    speeds.map(([speed, prefill]) => measurement(speed, prefill)),
    contexts,
  )

describe('summary of a run', () => {
  it('takes the median of the rounds in each figure', () => {
    const { decode, prefill } = summary('ours', 'int4', [100, 900], [300, 700], [200, 800])
    expect(decode[0]!.tokensPerSecond).toEqual({ median: 200, min: 100, max: 300 })
    expect(decode[1]!.tokensPerSecond!.median).toBe(100)
    expect(prefill.median).toBe(800)
  })

  it('has no figure where the model does not reach the context', () => {
    expect(summary('ours', 'int4', [100, 900]).decode[2]).toEqual({ context: 1500, tokensPerSecond: null })
  })

  it('compares with the best setting of a program in each column, and with each kind of weights apart', () => {
    const ours = summary('ours', 'int4', [300, 900])
    const compared = ratios(ours, [
      summary('llama.cpp, flash on', 'Q4_0', [150, 450]),
      summary('llama.cpp, flash off', 'Q4_0', [100, 900]),
      summary('llama.cpp, flash on', 'F16', [75, 300]),
    ])
    expect(compared).toEqual([
      { name: 'llama.cpp, best of its settings', weights: 'Q4_0', decode: [2, 2, null], prefill: 1 },
      { name: 'llama.cpp, flash on', weights: 'F16', decode: [4, 4, null], prefill: 3 },
    ])
  })

  it('prints figures, ratios and a star for a round on a busy machine', () => {
    const ours = summary('ours', 'int4', [300, 900])
    const busy = summarize({ key: 'b', name: 'busy', weights: 'Q4_0' }, [measurement(7.5, 90, true)], contexts)
    expect(figuresTable([ours, busy], 512).split('\n')).toEqual([
      '| runtime | weights | decode @16 | decode @512 | decode @1500 | prefill 512 | load, s | peak RSS, MiB |',
      '| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |',
      '| ours | int4 | 300 | 150 | - | 900 | 0.25 | 100 |',
      '| busy* | Q4_0 | 7.5 | 3.8 | - | 90 | 0.25 | 100 |',
    ])
    expect(
      ratiosTable(ours, ratios(ours, [busy]), 512)
        .split('\n')
        .at(-1),
    ).toBe('| busy | Q4_0 | 40.00 | 40.00 | - | 10.00 |')
  })
})
