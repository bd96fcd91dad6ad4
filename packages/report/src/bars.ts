/**
 * Lists of bars: where the bytes lie, where the time went.
 * @module
 */
import type { QuantizationRecord } from '@awq/core'
import { legend } from './figure.ts'
import { formatBytes, formatSeconds, formatWholeShare, significant } from './format.ts'
import { html, type Markup } from './html.ts'
import { tensorKinds } from './summary.ts'

/** The width of a bar: a number with a percent sign, whatever is given. */
const widthOf = (value: number, most: number): string => {
  const share = most > 0 ? (100 * value) / most : 0
  return `${Number.isFinite(share) ? Math.max(0, Math.min(100, share)).toFixed(2) : 0}%`
}

const row = (
  label: string,
  figures: string,
  bars: readonly { readonly kind: string; readonly width: string }[],
): Markup =>
  html`<li><div class="row"><span class="label">${label}</span><span class="figures">${figures}</span></div>${bars.map(({ kind, width }) => html`<div class="track"><div class="bar ${kind}" style="width:${width}"></div></div>`)}</li>
`

/** Bytes of the tensors before and after. */
export const sizeFigure = (record: QuantizationRecord): Markup | undefined => {
  const kinds = tensorKinds(record)
  if (kinds.length === 0) return undefined
  const most = Math.max(...kinds.flatMap(({ floatBytes, storedBytes }) => [floatBytes, storedBytes]))
  const rows = kinds.map(({ name, count, floatBytes, storedBytes, weights }) =>
    row(
      `${name.replace(/\.weight$/, '')}${count > 1 ? ` × ${count}` : ''}`,
      `${formatBytes(floatBytes)} → ${formatBytes(storedBytes)}, ${significant((storedBytes * 8) / weights)} bits a weight`,
      [
        { kind: 'before', width: widthOf(floatBytes, most) },
        { kind: 'after', width: widthOf(storedBytes, most) },
      ],
    ),
  )
  return html`<section><h2>Size by tensor</h2><p class="caption">Bytes of the checkpoint and of the store, tensors of the same place in all blocks added up. Bits a weight count scales and zero points.</p>${legend(
    [
      { kind: 'before', label: 'float checkpoint' },
      { kind: 'after', label: 'stored' },
    ],
  )}<ul class="bars">${rows}</ul></section>
`
}

/** What people call the stages; others keep their names. */
const STAGES: Readonly<Record<string, string>> = {
  tokenize: 'reading the calibration text',
  see: 'looking at its images',
  embed: 'embedding it',
  read: 'reading weights',
  statistics: 'forward pass and statistics',
  scale: 'scale search',
  smooth: 'smoothing',
  salient: 'choosing salient channels',
  compensate: 'compensating for earlier blocks',
  descend: 'coordinate descent on codes',
  clip: 'clip search',
  rtn: 'rounding to nearest',
  gptq: 'GPTQ rounding',
  forward: 'forward pass of quantized blocks',
  record: 'measuring for this page',
  write: 'writing blocks',
  tables: 'embedding and head',
  other: 'everything else',
}

/** Seconds of the stages. */
export const timeFigure = ({ stages, resumedLayers }: QuantizationRecord): Markup | undefined => {
  const total = stages.reduce((sum, { seconds }) => sum + seconds, 0)
  if (!(total > 0)) return undefined
  const most = Math.max(...stages.map(({ seconds }) => seconds))
  const rows = stages.map(({ stage, seconds }) =>
    row(
      Object.hasOwn(STAGES, stage) ? STAGES[stage]! : stage,
      `${formatSeconds(seconds)}, ${formatWholeShare(seconds / total)}`,
      [{ kind: 'after', width: widthOf(seconds, most) }],
    ),
  )
  const part = resumedLayers > 0 ? ' Only this run is counted, not the interrupted one that it continued.' : ''
  return html`<section><h2>Time by stage</h2><p class="caption">Seconds of each stage, all blocks together, ${formatSeconds(total)} in all. Stages follow one another; work that goes on beside them is not counted.${part}</p><ul class="bars">${rows}</ul></section>
`
}
