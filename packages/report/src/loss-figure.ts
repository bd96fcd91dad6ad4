import type { QuantizationRecord } from '@awq/core'
import { layerAxis, logAxis } from './axis.ts'
import { figure, legend } from './figure.ts'
import { formatShare, significant } from './format.ts'
import type { Markup } from './html.ts'
import { dots, notes, panel, placesOf, stems } from './panel.ts'
import { alikeName, errorsOf, expertLabel, groupBy, lastPart, meanErrors, removedShare } from './summary.ts'

const percent = (share: number): string => `${significant(share * 100, 1)}%`

/** The error of every linear before and after; undefined for a record without losses. */
export const lossFigure = ({ linears, model }: QuantizationRecord): Markup | undefined => {
  const measured = linears.flatMap((linear) => {
    const errors = errorsOf(linear)
    return errors ? [{ ...linear, ...errors }] : []
  })
  if (measured.length === 0) return undefined
  const x = layerAxis(model.layers)
  const y = logAxis(
    measured.flatMap(({ before, after }) => [before, after]),
    percent,
  )
  const place = placesOf(x, y)
  const panels = [...groupBy(measured, ({ name }) => alikeName(name))].map(([name, members]) => {
    const mean = meanErrors(members)!
    const spots = members.map(({ layer, name: linear, before, after }) => ({
      x: place.x(layer),
      before: place.y(before),
      after: place.y(after),
      note: `layer ${layer}, ${expertLabel(linear)}${lastPart(name)}: ${formatShare(before)} → ${formatShare(after)}`,
    }))
    return panel({
      title: `${name}: ${formatShare(mean.before)} → ${formatShare(mean.after)}`,
      description: `output error by layer, on average ${formatShare(removedShare(mean))} less after than before`,
      ...{ x, y, xLabel: 'layer' },
      marks: [
        stems(
          'gain',
          spots.map((spot) => [spot.x, spot.before, spot.after]),
        ),
        dots(
          'before',
          spots.map((spot) => [spot.x, spot.before]),
        ),
        dots(
          'after',
          spots.map((spot) => [spot.x, spot.after]),
        ),
        notes(spots, model.layers),
      ].flat(),
    })
  })
  return figure({
    title: 'Output error of each linear',
    caption:
      'The share of a linear’s output power that is error, on the calibration text, logarithmic. ' +
      'The longer the line down from the gray dot, the more the method removed; ' +
      'a blue dot above its gray one is a linear that plain rounding would have served better. ' +
      'Dots on the bottom line lie on it or below.',
    legend: legend([
      { kind: 'before', label: 'rounded to nearest' },
      { kind: 'after', label: 'as stored' },
    ]),
    panels,
    columns: 3,
  })
}
