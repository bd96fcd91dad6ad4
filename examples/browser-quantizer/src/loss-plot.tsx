import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { LayerLoss } from './run-state.ts'

interface Props {
  readonly layers: number
  readonly losses: readonly LayerLoss[]
}

const height = 240
const edge = { left: 42, right: 8, top: 10, bottom: 42 }

const shortNumber = (value: number): string =>
  value === 0 || (value >= 0.01 && value < 10000) ? String(Number(value.toPrecision(2))) : value.toExponential(0)

interface Axis {
  /** From 0 at the foot to 1 at the top. */
  readonly at: (value: number) => number
  readonly ticks: readonly number[]
}

/** From 0 where values are alike; in powers of ten where they are not. */
const axisOf = (values: readonly number[]): Axis => {
  const [least, most] = [Math.min(...values), Math.max(...values)]
  if (most < 20 * least) {
    const power = 10 ** Math.floor(Math.log10(most))
    const step = [0.2, 0.5, 1, 2].find((part) => most / (part * power) < 6)! * power
    const top = Math.ceil(most / step) * step
    return { at: (value) => value / top, ticks: Array.from({ length: Math.round(top / step) + 1 }, (_, n) => n * step) }
  }
  const low = Math.floor(Math.log10(least))
  const high = Math.ceil(Math.log10(most))
  const every = Math.ceil((high - low) / 6)
  const ticks = Array.from({ length: Math.floor((high - low) / every) + 1 }, (_, n) => 10 ** (low + n * every))
  return { at: (value) => (Math.log10(value) - low) / (high - low), ticks }
}

/** The error of each layer's outputs, as the layers are done: by plain rounding, and with the scales that AWQ found. */
export const LossPlot = ({ layers, losses }: Props) => {
  const drawn = losses.filter(({ plain, scaled }) => plain > 0 && scaled > 0)
  return drawn.length === 0 ? null : <Plot layers={layers} losses={drawn} />
}

const Plot = ({ layers, losses: drawn }: Props) => {
  const [svg, width] = useWidth()
  const axis = axisOf(drawn.flatMap(({ plain, scaled }) => [plain, scaled]))
  const x = (layer: number): number => edge.left + ((layer + 0.5) / layers) * (width - edge.left - edge.right)
  const y = (value: number): number => edge.top + (1 - axis.at(value)) * (height - edge.top - edge.bottom)
  const path = (of: 'plain' | 'scaled'): string =>
    drawn.map((loss, index) => `${index === 0 ? 'M' : 'L'}${x(loss.layer)} ${y(loss[of])}`).join('')
  const every = Math.ceil((layers * 60) / width)
  const left = drawn.reduce((sum, { plain, scaled }) => sum + scaled / plain, 0) / drawn.length
  return (
    <figure class="plot">
      <figcaption>
        <b>Error of each layer’s outputs</b>
        <span class="key plain">plain rounding</span>
        <span class="key scaled">with AWQ’s scales, {Math.round((1 - left) * 100)} % less on average</span>
      </figcaption>
      <svg ref={svg} viewBox={`0 0 ${width} ${height}`} aria-hidden="true">
        {axis.ticks.map((value) => (
          <g key={value}>
            <line x1={edge.left} x2={width - edge.right} y1={y(value)} y2={y(value)} />
            <text x={edge.left - 8} y={y(value) + 5} text-anchor="end">
              {shortNumber(value)}
            </text>
          </g>
        ))}
        {Array.from({ length: Math.ceil(layers / every) }, (_, index) => index * every).map((layer) => (
          <text key={layer} x={x(layer)} y={height - 22} text-anchor="middle">
            {layer + 1}
          </text>
        ))}
        <text x={(edge.left + width - edge.right) / 2} y={height - 3} text-anchor="middle">
          layer
        </text>
        {(['plain', 'scaled'] as const).map((of) => (
          <g key={of} class={of}>
            <path d={path(of)} />
            {drawn.map((loss) => (
              <circle key={loss.layer} cx={x(loss.layer)} cy={y(loss[of])} r={layers > 40 ? 2 : 3.5}>
                <title>{`layer ${loss.layer + 1}: ${shortNumber(loss[of])}`}</title>
              </circle>
            ))}
          </g>
        ))}
      </svg>
      <LossTable losses={drawn} />
    </figure>
  )
}

/** How wide an element is drawn, so that text in it is as large as elsewhere. */
const useWidth = () => {
  const element = useRef<SVGSVGElement>(null)
  const [width, setWidth] = useState(600)
  useLayoutEffect(() => {
    const watch = new ResizeObserver(([entry]) => entry && setWidth(Math.max(200, Math.round(entry.contentRect.width))))
    if (element.current) watch.observe(element.current)
    return () => watch.disconnect()
  }, [])
  return [element, width] as const
}

/** The same for those who do not see it. */
const LossTable = ({ losses }: Pick<Props, 'losses'>) => (
  <div class="hidden">
    <table>
      <caption>Error of each layer’s outputs</caption>
      <thead>
        <tr>
          <th scope="col">layer</th>
          <th scope="col">plain rounding</th>
          <th scope="col">with AWQ’s scales</th>
        </tr>
      </thead>
      <tbody>
        {losses.map(({ layer, plain, scaled }) => (
          <tr key={layer}>
            <th scope="row">{layer + 1}</th>
            <td>{shortNumber(plain)}</td>
            <td>{shortNumber(scaled)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  </div>
)
