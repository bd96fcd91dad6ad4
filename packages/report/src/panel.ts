/**
 * A panel: one small chart of a figure. Panels are narrow enough for a phone; wide pages put several side by side.
 * @module
 */
import type { Axis } from './axis.ts'
import { html, type Markup } from './html.ts'

/** The drawing's units: about a pixel of a phone. */
const WIDTH = 360
const HEIGHT = 168
const FRAME = { left: 44, right: 352, top: 10, bottom: 142 }

/** A coordinate of a path; what is not finite lands in the corner and can say nothing but 0. */
const coordinate = (value: number): string => (Number.isFinite(value) ? String(Math.round(value * 10) / 10) : '0')

/** Where values lie in a panel, in drawing units. */
export interface Places {
  readonly x: (value: number) => number
  readonly y: (value: number) => number
}

/** The places of two axes. */
export const placesOf = (x: Axis, y: Axis): Places => ({
  x: (value) => FRAME.left + x.at(value) * (FRAME.right - FRAME.left),
  y: (value) => FRAME.bottom - y.at(value) * (FRAME.bottom - FRAME.top),
})

/** Points drawn as dots of the class's stroke width: a line of no length with round ends each. */
export const dots = (kind: string, points: readonly (readonly [x: number, y: number])[]): Markup | undefined =>
  points.length > 0
    ? html`<path class="dots ${kind}" d="${points.map(([x, y]) => `M${coordinate(x)} ${coordinate(y)}h0`).join('')}"/>`
    : undefined

/** Vertical lines from y1 to y2. */
export const stems = (
  kind: string,
  lines: readonly (readonly [x: number, y1: number, y2: number])[],
): Markup | undefined =>
  lines.length > 0
    ? html`<path class="stems ${kind}" d="${lines
        .map(([x, y1, y2]) => `M${coordinate(x)} ${coordinate(y1)}V${coordinate(y2)}`)
        .join('')}"/>`
    : undefined

/** A bar from the bottom of the panel up to `y`. */
export const bar = (kind: string, x: number, width: number, y: number, note: string): Markup =>
  html`<rect class="${kind}" x="${coordinate(x - width / 2)}" y="${coordinate(y)}" width="${coordinate(width)}" height="${coordinate(FRAME.bottom - y)}"><title>${note}</title></rect>`

/** Columns of the whole height, one for each layer, that show a note when pointed at. */
export const notes = (columns: readonly { readonly x: number; readonly note: string }[], layers: number): Markup[] => {
  const width = (FRAME.right - FRAME.left) / Math.max(1, layers)
  return columns.map(
    ({ x, note }) =>
      html`<rect class="hit" x="${coordinate(x - width / 2)}" y="${FRAME.top}" width="${coordinate(width)}" height="${FRAME.bottom - FRAME.top}"><title>${note}</title></rect>`,
  )
}

/** What a panel shows. */
export interface PanelParts {
  readonly title: string
  /** Words for those who do not see it; the figures stand in the tables. */
  readonly description: string
  readonly x: Axis
  readonly y: Axis
  readonly xLabel: string
  readonly marks: readonly (Markup | undefined)[]
}

/** A panel with its axes. */
export const panel = ({ title, description, x, y, xLabel, marks }: PanelParts): Markup => {
  const place = placesOf(x, y)
  const grid = y.ticks.map(
    ({ value, label }) =>
      html`<path class="grid" d="M${FRAME.left} ${coordinate(place.y(value))}H${FRAME.right}"/><text x="${FRAME.left - 6}" y="${coordinate(place.y(value) + 3.5)}" text-anchor="end">${label}</text>`,
  )
  const under = x.ticks.map(
    ({ value, label }) =>
      html`<text x="${coordinate(place.x(value))}" y="${FRAME.bottom + 14}" text-anchor="middle">${label}</text>`,
  )
  const middle = (FRAME.left + FRAME.right) / 2
  return html`<figure class="panel"><figcaption>${title}</figcaption><svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${`${title}: ${description}`}">${grid}<path class="axis" d="M${FRAME.left} ${FRAME.bottom}H${FRAME.right}"/>${under}<text class="unit" x="${middle}" y="${HEIGHT - 1}" text-anchor="middle">${xLabel}</text>${marks}</svg></figure>
`
}
