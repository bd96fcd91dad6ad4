import { describe, expect, it } from 'vitest'
import { fitLine } from './linear-fit.ts'
import { plot, roundUp } from './plot.ts'

const panel = (title: string, points: readonly { x: number; y: number }[]) => ({
  title,
  xLabel: 'layers',
  yLabel: 'seconds',
  points,
  fit: fitLine(points),
})

describe('plot', () => {
  it('puts points on the line that fits them, inside of the frame', () => {
    const svg = plot([
      panel(
        'a < b',
        [6, 12, 18, 24, 30].map((x) => ({ x, y: 2 * x })),
      ),
    ])
    const circles = [...svg.matchAll(/cx="([\d.]+)" cy="([\d.]+)"/g)].map(([, x, y]) => [Number(x), Number(y)] as const)
    expect(circles).toHaveLength(5)
    const [x0, y0, x1, y1] = /<path d="M([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)" class="fit"/
      .exec(svg)!
      .slice(1)
      .map(Number)
    for (const [x, y] of circles) {
      expect(x).toBeGreaterThan(52)
      expect(y).toBeGreaterThanOrEqual(50)
      expect(y).toBeCloseTo(y0! + ((x - x0!) / (x1! - x0!)) * (y1! - y0!), 0)
    }
    expect(svg).toContain('a &lt; b')
  })
  it('sets panels beside each other', () => {
    const points = [1, 2].map((x) => ({ x, y: x }))
    expect(plot([panel('a', points), panel('b', points)])).toContain('translate(340 0)')
  })
  it('rounds up to steps that people count in', () => {
    expect([0.9, 1, 1.1, 2.2, 3, 7, 130].map(roundUp)).toEqual([1, 1, 2, 2.5, 5, 10, 200])
  })
})
