import type { QuantizationRecord } from '@awq/core'
import { sizeFigure, timeFigure } from './bars.ts'
import { channelFigure } from './channel-figure.ts'
import { clipFigure } from './clip-figure.ts'
import { plural } from './format.ts'
import { headline } from './headline.ts'
import { html, type Markup, markupText, ownMarkup } from './html.ts'
import { layerTables } from './layer-tables.ts'
import { lossFigure } from './loss-figure.ts'
import { scaleFigure } from './scale-figure.ts'
import { settings } from './settings.ts'
import { style } from './style.ts'
import { clippedShare } from './summary.ts'

/** `awq, 4 bits in groups of 64`: what every reader asks first; several bits as a range. */
const lead = ({ method, linears, calibration }: QuantizationRecord): string => {
  const range = (values: readonly number[], unit: string) => {
    const sorted = [...new Set(values)].sort((a, b) => a - b)
    return sorted.length > 1 ? `${sorted[0]} to ${sorted.at(-1)} ${unit}` : `${sorted[0]} ${unit}`
  }
  const parts = [method.name]
  if (linears.length > 0) {
    const sizes = linears.map(({ groupSize }) => groupSize)
    const bits = range(
      linears.map(({ bits }) => bits),
      'bits',
    )
    parts.push(`${bits}, ${sizes.includes(-1) ? 'one scale a row' : range(sizes, 'weights a group')}`)
    if (linears.every(({ symmetric }) => symmetric)) parts.push('symmetric')
  }
  if (calibration) parts.push(`calibrated on ${calibration.source}`)
  return parts.join(' · ')
}

/** What the page can not show, and why. */
const gaps = ({ linears, missingLayers, model }: QuantizationRecord): string[] => {
  const found: string[] = []
  if (missingLayers.length > 0)
    found.push(
      `Nothing was measured in ${missingLayers.length === 1 ? 'layer' : 'layers'} ${missingLayers.join(', ')}: ` +
        `an interrupted run finished ${missingLayers.length === 1 ? 'it' : 'them'} before a report was asked for. All plots leave ${missingLayers.length === 1 ? 'it' : 'them'} out.`,
    )
  if (linears.length > 0 && !linears.some(({ lossAfter }) => lossAfter !== undefined))
    found.push(
      'The method looked at no calibration text, so there are no output errors, scales and channels to show; only the weights were compared.',
    )
  else if (linears.length > 0 && !linears.some(({ clip }) => clippedShare(clip) > 0))
    found.push('No group was clipped: all keep their full range.')
  if (linears.length === 0 && missingLayers.length === 0 && model.layers > 0) found.push('No linear was quantized.')
  return found
}

/**
 * A record as one HTML page that needs nothing else: no script, no font, no image from anywhere. Plots are SVG, colors
 * follow the reader's light or dark scheme, and whatever comes from the record is escaped.
 *
 * @param record of `quantize({ record: true })`, or what `JSON.parse` made of one
 * @returns a whole document, from `<!doctype html>` on
 */
export const renderReport = (record: QuantizationRecord): string => {
  const { model, method } = record
  const sections: (Markup | undefined)[] = [
    lossFigure(record),
    scaleFigure(record),
    clipFigure(record),
    channelFigure(record),
    sizeFigure(record),
    timeFigure(record),
    layerTables(record),
    settings(record),
  ]
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="color-scheme" content="light dark">
<title>${model.name} · ${method.name}</title>
<style>${ownMarkup(style)}</style>
</head>
<body>
<main>
<header><h1>${model.name}</h1><p class="lead">${lead(record)}</p></header>
${gaps(record).map((gap) => html`<p class="note">${gap}</p>`)}
${headline(record)}${sections}
<footer>${plural(record.linears.length, 'linear')}, ${plural(record.tensors.length, 'tensor')}. Point at a layer of a plot for its figures.</footer>
</main>
</body>
</html>
`
  return markupText(page)
}
