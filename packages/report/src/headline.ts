import type { QuantizationRecord } from '@awq/core'
import { formatBytes, formatSeconds, formatShare, formatWholeShare, plural, significant } from './format.ts'
import { html, type Markup, type Piece } from './html.ts'
import { bitsPerWeight, meanErrors, removedShare } from './summary.ts'

const tile = (label: string, value: string, detail: Piece): Markup =>
  html`<div class="tile"><dt>${label}</dt><dd><strong>${value}</strong><span>${detail}</span></dd></div>
`

/** What the linears lost: against plain rounding where that was measured, else the error of the weights. */
const errorTile = ({ linears }: QuantizationRecord): Markup | undefined => {
  const errors = meanErrors(linears)
  if (errors) {
    const removed = removedShare(errors)
    return tile(
      removed >= 0 ? 'Error removed' : 'Error added',
      formatWholeShare(Math.abs(removed)),
      `of plain rounding’s output error, mean of linears: ${formatShare(errors.before)} → ${formatShare(errors.after)}`,
    )
  }
  if (linears.length === 0) return undefined
  const mean = linears.reduce((sum, { weightError }) => sum + weightError, 0) / linears.length
  return tile('Weight error', formatShare(mean), 'of the weights’ power, mean of linears; no outputs were measured')
}

/** The figures that matter most. */
export const headline = (record: QuantizationRecord): Markup => {
  const { inputBytes, outputBytes, seconds, peakRssBytes = 0, engine, resumedLayers } = record
  const bits = bitsPerWeight(record)
  const share = inputBytes > 0 ? ` (${formatWholeShare(outputBytes / inputBytes)})` : ''
  return html`<dl class="tiles">${errorTile(record)}${tile('Size', formatBytes(outputBytes), `on disk, from ${formatBytes(inputBytes)} of weights${share}`)}${
    bits.linears !== undefined &&
    tile(
      'Bits a weight',
      significant(bits.linears),
      `in the linears, with scales${bits.model === undefined ? '' : `; ${significant(bits.model)} in the whole model`}`,
    )
  }${tile('Time', formatSeconds(seconds), `${engine.name}, ${engine.device}, ${plural(engine.threads, 'thread')}${resumedLayers > 0 ? `; ${plural(resumedLayers, 'layer')} taken over from an earlier run` : ''}`)}${
    peakRssBytes > 0 && tile('Peak memory', formatBytes(peakRssBytes), 'of the whole process')
  }</dl>
`
}
