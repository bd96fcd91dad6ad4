/**
 * Measured points and the line through them, as a small SVG.
 * @module
 */
import type { LinearFit, Point } from './linear-fit.ts'

/** One panel: points over one quantity. */
export interface Panel {
  readonly title: string
  readonly xLabel: string
  readonly yLabel: string
  readonly points: readonly Point[]
  readonly fit: LinearFit
}

const size = { width: 340, height: 276, left: 52, right: 14, top: 50, bottom: 46 }

/** A round number not below `value`: 1, 2, 2.5 or 5 times a power of ten. */
export const roundUp = (value: number): number => {
  const power = 10 ** Math.floor(Math.log10(value))
  return [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= value * (1 - 1e-12))!
}

/** Ticks from 0 on, about four of them. */
const ticks = (largest: number): number[] => {
  const step = roundUp(largest / 4)
  return Array.from({ length: Math.ceil(largest / step - 1e-9) + 1 }, (_, i) => i * step)
}

const escaped = (text: string): string => text.replace(/&/g, '&amp;').replace(/</g, '&lt;')

const label = (value: number): string => String(Number(value.toPrecision(6)))

const panelBody = ({ title, xLabel, yLabel, points, fit }: Panel): string => {
  const xTicks = ticks(Math.max(...points.map(({ x }) => x)))
  const yTicks = ticks(Math.max(...points.map(({ y }) => y)))
  const [right, bottom] = [size.width - size.right, size.height - size.bottom]
  const across = (x: number) => (size.left + (x / xTicks.at(-1)!) * (right - size.left)).toFixed(1)
  const down = (y: number) => (bottom - (y / yTicks.at(-1)!) * (bottom - size.top)).toFixed(1)
  const end = Math.max(...points.map(({ x }) => x))
  return [
    `<text x="${size.left}" y="16" class="title">${escaped(title)}</text>`,
    ...yTicks.map(
      (y) =>
        `<path d="M${size.left} ${down(y)}H${right}" class="grid"/>` +
        `<text x="${size.left - 6}" y="${down(y)}" dy="4" text-anchor="end">${label(y)}</text>`,
    ),
    ...xTicks.map((x) => `<text x="${across(x)}" y="${bottom + 16}" text-anchor="middle">${label(x)}</text>`),
    `<text x="${(size.left + right) / 2}" y="${size.height - 12}" text-anchor="middle">${escaped(xLabel)}</text>`,
    `<text x="${size.left - 34}" y="${size.top - 12}">${escaped(yLabel)}</text>`,
    `<path d="M${across(0)} ${down(fit.intercept)}L${across(end)} ${down(fit.intercept + fit.slope * end)}" class="fit"/>`,
    ...points.map(({ x, y }) => `<circle cx="${across(x)}" cy="${down(y)}" r="3.5"/>`),
  ].join('\n')
}

/** Panels beside each other; axes begin at 0, and colors suit a light and a dark page. */
export const plot = (panels: readonly Panel[]): string => {
  const width = size.width * panels.length
  const bodies = panels.map((panel, i) => `<g transform="translate(${i * size.width} 0)">\n${panelBody(panel)}\n</g>`)
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${size.height}" viewBox="0 0 ${width} ${size.height}" role="img">
<title>${escaped(panels.map(({ title, xLabel, yLabel }) => `${title}: ${yLabel} by ${xLabel}`).join('; '))}</title>
<style>
text { font: 12px sans-serif; fill: #777 } .title { font-weight: bold }
.grid { stroke: #8884; fill: none } .fit { stroke: #4a7fd0; stroke-width: 1.5; fill: none } circle { fill: #d0643a }
</style>
${bodies.join('\n')}
</svg>
`
}
