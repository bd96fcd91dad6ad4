import type { LinearRecord, QuantizationRecord } from '@awq/core'
import { formatBytes, formatShare, formatWholeShare, MISSING, plain, significant } from './format.ts'
import { html, type Markup } from './html.ts'
import {
  clippedShare,
  errorsOf,
  expertLabel,
  groupBy,
  joinNames,
  lastPart,
  meanErrors,
  removedShare,
} from './summary.ts'

const groupText = ({ bits, groupSize, symmetric }: LinearRecord): string =>
  `${bits} / ${groupSize === -1 ? 'row' : groupSize}${symmetric ? ' sym' : ''}`

const linearRow = (linear: LinearRecord): Markup => {
  const errors = errorsOf(linear)
  const { name, shape, bytes, weightError, clip } = linear
  const place = name.includes('.') ? `${name.slice(0, name.lastIndexOf('.'))}, ` : ''
  return html`<tr><th scope="row">${lastPart(name)}<small>${place}${shape.join(' × ')}</small></th><td>${formatShare(errors?.before)}</td><td>${formatShare(errors?.after)}</td><td>${errors ? formatWholeShare(removedShare(errors)) : MISSING}</td><td>${formatShare(weightError)}</td><td>${formatWholeShare(clippedShare(clip))}</td><td>${groupText(linear)}</td><td>${formatBytes(bytes)}</td></tr>
`
}

const linearTable = (linears: readonly LinearRecord[]): Markup =>
  html`<div class="scroll" tabindex="0" role="region" aria-label="figures of the linears"><table><thead><tr><th scope="col">Linear</th><th scope="col">Before</th><th scope="col">After</th><th scope="col">Removed</th><th scope="col">Weight error</th><th scope="col">Clipped</th><th scope="col">Bits / group</th><th scope="col">Bytes</th></tr></thead><tbody>${linears.map(linearRow)}</tbody></table></div>
`

const scaleList = (groups: QuantizationRecord['scaleGroups']): Markup | undefined =>
  groups.length > 0
    ? html`<ul class="plain">${groups.map(
        ({ pass, producer, consumers, alpha, loss, identityLoss }) =>
          html`<li>${expertLabel(producer)}${pass ?? 'scale'} ${lastPart(producer)} → ${joinNames(consumers)}${alpha !== undefined && `: alpha ${plain(alpha)}`}${
            loss !== undefined &&
            identityLoss !== undefined &&
            `${alpha === undefined ? ':' : ','} loss ${significant(identityLoss)} → ${significant(loss)}`
          }</li>`,
      )}</ul>
`
    : undefined

const channelList = (inputs: QuantizationRecord['inputs']): Markup | undefined =>
  inputs.length > 0
    ? html`<ul class="plain">${inputs.map(
        ({ readers, median, channels }) =>
          html`<li>${expertLabel(readers[0] ?? '')}largest channels into ${joinNames(readers)}: ${channels
            .slice(0, 3)
            .map(
              ({ index, meanAbs, scale }) =>
                `${index} (${significant(meanAbs)}${median > 0 ? `, ${significant(meanAbs / median, 2)}× the median` : ''}, scaled ${significant(scale)}×)`,
            )
            .join('; ')}</li>`,
      )}</ul>
`
    : undefined

/** A table for every layer, folded up. */
export const layerTables = ({ linears, scaleGroups, inputs }: QuantizationRecord): Markup | undefined => {
  const layers = groupBy(linears, ({ layer }) => String(layer))
  if (layers.size === 0) return undefined
  const scalesOf = groupBy(scaleGroups, ({ layer }) => String(layer))
  const inputsOf = groupBy(inputs, ({ layer }) => String(layer))
  const tables = [...layers].map(([layer, members]) => {
    const errors = meanErrors(members)
    const bytes = members.reduce((sum, linear) => sum + linear.bytes, 0)
    const summary = errors
      ? `error ${formatShare(errors.before)} → ${formatShare(errors.after)}`
      : `weight error ${formatShare(members.reduce((sum, { weightError }) => sum + weightError, 0) / members.length)}`
    return html`<details><summary><b>Layer ${layer}</b><span>${summary}</span><span>${formatBytes(bytes)}</span></summary>${linearTable(members)}${scaleList(scalesOf.get(layer) ?? [])}${channelList(inputsOf.get(layer) ?? [])}</details>
`
  })
  return html`<section><h2>Layer by layer</h2><p class="caption">All figures of the plots. Before and after are errors as shares of a linear’s output power; weight error is the share of the rounded weights’ own power; clipped are the groups that do not keep their full range.</p>${tables}</section>
`
}
