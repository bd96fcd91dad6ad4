import type { LayerLoss } from './run-state.ts'

interface Props {
  readonly layers: number
  readonly losses: readonly LayerLoss[]
}

const width = 640
const height = 240
const edge = { left: 58, right: 12, top: 12, bottom: 34 }

const shortNumber = (value: number): string =>
  value >= 0.01 && value < 10000 ? String(Number(value.toPrecision(2))) : value.toExponential(0)

/** Powers of ten, and where they are few also 2 and 5 times them. */
const ticksOf = (low: number, high: number): number[] => {
  const wide = high - low > 2
  const ticks: number[] = []
  for (let power = Math.floor(low); power <= high; power++)
    for (const factor of wide ? [1] : [1, 2, 5]) {
      const at = power + Math.log10(factor)
      if (at >= low && at <= high) ticks.push(10 ** at)
    }
  return ticks.length > 6 ? ticks.filter((_, index) => index % Math.ceil(ticks.length / 6) === 0) : ticks
}

/** The error of each block's outputs, as the blocks are done: by plain rounding, and with the scales that AWQ found. */
export const LossPlot = ({ layers, losses }: Props) => {
  const drawn = losses.filter(({ plain, scaled }) => plain > 0 && scaled > 0)
  if (drawn.length === 0) return null
  const values = drawn.flatMap(({ plain, scaled }) => [Math.log10(plain), Math.log10(scaled)])
  const low = Math.min(...values) - 0.1
  const high = Math.max(...values) + 0.1
  const x = (layer: number): number => edge.left + ((layer + 0.5) / layers) * (width - edge.left - edge.right)
  const y = (log: number): number => edge.top + ((high - log) / (high - low)) * (height - edge.top - edge.bottom)
  const path = (of: 'plain' | 'scaled'): string =>
    drawn.map((loss, index) => `${index === 0 ? 'M' : 'L'}${x(loss.layer)} ${y(Math.log10(loss[of]))}`).join('')
  const every = Math.ceil(layers / 8)
  const kept = drawn.reduce((sum, { plain, scaled }) => sum + scaled / plain, 0) / drawn.length
  return (
    <figure class="plot">
      <figcaption>
        <b>Error of each block’s outputs</b>
        <span class="key plain">plain rounding</span>
        <span class="key scaled">with AWQ’s scales: {Math.round((1 - kept) * 100)} % less on average</span>
      </figcaption>
      <svg viewBox={`0 0 ${width} ${height}`} role="img" aria-label="Error by block, also as a table below">
        {ticksOf(low, high).map((value) => (
          <g key={value}>
            <line x1={edge.left} x2={width - edge.right} y1={y(Math.log10(value))} y2={y(Math.log10(value))} />
            <text x={edge.left - 8} y={y(Math.log10(value)) + 4} text-anchor="end">
              {shortNumber(value)}
            </text>
          </g>
        ))}
        {Array.from({ length: layers }, (_, layer) => layer)
          .filter((layer) => layer % every === 0)
          .map((layer) => (
            <text key={layer} x={x(layer)} y={height - 12} text-anchor="middle">
              {layer}
            </text>
          ))}
        {(['plain', 'scaled'] as const).map((of) => (
          <g key={of} class={of}>
            <path d={path(of)} />
            {drawn.map((loss) => (
              <circle key={loss.layer} cx={x(loss.layer)} cy={y(Math.log10(loss[of]))} r={layers > 40 ? 2 : 3.5}>
                <title>
                  block {loss.layer}: {shortNumber(loss[of])}
                </title>
              </circle>
            ))}
          </g>
        ))}
      </svg>
      <table class="hidden">
        <caption>Error of each block’s outputs</caption>
        <tbody>
          <tr>
            <th>block</th>
            <th>plain rounding</th>
            <th>with scales</th>
          </tr>
          {drawn.map(({ layer, plain, scaled }) => (
            <tr key={layer}>
              <td>{layer}</td>
              <td>{shortNumber(plain)}</td>
              <td>{shortNumber(scaled)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </figure>
  )
}
