import type { QuantizationRecord, ScaleGroupRecord } from '@awq/core'
import { layerAxis, linearAxis } from './axis.ts'
import { figure, legend } from './figure.ts'
import { formatShare, plain, significant } from './format.ts'
import type { Markup } from './html.ts'
import { dots, notes, panel, placesOf, stems } from './panel.ts'
import { alikeName, expertOf, groupBy, joinNames, lastPart } from './summary.ts'

/** A scale group with the one figure that its dot shows. */
interface Shown extends ScaleGroupRecord {
  readonly value: number
}

const noteOf = ({ layer, producer, alpha, loss, identityLoss }: ScaleGroupRecord): string => {
  const expert = expertOf(producer)
  const parts = [`layer ${layer}`, ...(expert === undefined ? [] : [`expert ${expert}`])]
  if (alpha !== undefined) parts.push(`alpha ${plain(alpha)}`)
  if (loss !== undefined && identityLoss !== undefined)
    parts.push(`loss ${significant(identityLoss)} → ${significant(loss)}`)
  return parts.join(', ')
}

/** A panel for each pass and producer: lines from `base` to each layer's value. */
const panelsOf = (
  groups: readonly Shown[],
  layers: number,
  base: number,
  top: number,
  label: (v: number) => string,
) => {
  const x = layerAxis(layers)
  const y = linearAxis(0, top, label)
  const place = placesOf(x, y)
  const passes = new Set(groups.map(({ pass }) => pass))
  const key = ({ pass, producer, consumers }: Shown) =>
    JSON.stringify([pass, alikeName(producer), [...new Set(consumers.map(alikeName))]])
  return [...groupBy(groups, key).values()].map((members) => {
    const { pass, producer, consumers } = members[0]!
    const spots = members.map((group) => ({
      x: place.x(group.layer),
      y: place.y(group.value),
      note: noteOf(group),
      group,
    }))
    const still = spots.filter(({ group }) => group.value === base)
    const moved = spots.filter(({ group }) => group.value !== base)
    return panel({
      title: `${passes.size > 1 ? `${pass}: ` : ''}${lastPart(producer)} → ${joinNames(consumers)}`,
      description: `${label(Math.min(...members.map(({ value }) => value)))} to ${label(Math.max(...members.map(({ value }) => value)))}`,
      ...{ x, y, xLabel: 'layer' },
      marks: [
        stems(
          'after',
          moved.map((spot) => [spot.x, place.y(base), spot.y]),
        ),
        dots(
          'after',
          moved.map((spot) => [spot.x, spot.y]),
        ),
        dots(
          'before',
          still.map((spot) => [spot.x, spot.y]),
        ),
        notes(spots, layers),
      ].flat(),
    })
  })
}

/** The exponent that each scale group got; for strategies without one, what the scale left of the search's loss. */
export const scaleFigure = ({ scaleGroups, model }: QuantizationRecord): Markup | undefined => {
  const exponents = scaleGroups.flatMap((group) =>
    group.alpha === undefined ? [] : [{ ...group, value: group.alpha }],
  )
  if (exponents.length > 0) {
    const top = Math.max(1, ...exponents.map(({ value }) => value))
    return figure({
      title: 'Chosen alpha',
      caption:
        'Channel scales are (mean |activation|)^alpha: at 0 a group is best left alone, at 1 a channel’s weights are ' +
        'multiplied in full proportion to its activations. Titles say which parameter takes the inverse, and which linears the scale.',
      legend: legend([
        { kind: 'after', label: 'scaled' },
        { kind: 'before', label: 'no scale is best' },
      ]),
      panels: panelsOf(exponents, model.layers, 0, top, plain),
      columns: 2,
    })
  }
  const left = scaleGroups.flatMap((group) =>
    group.loss === undefined || !(group.identityLoss! > 0)
      ? []
      : [{ ...group, value: group.loss / group.identityLoss! }],
  )
  if (left.length === 0) return undefined
  return figure({
    title: 'What the scales left of the loss',
    caption:
      'The search’s own loss with the scale it took, as a share of the loss without one. ' +
      'The longer the line down from 100%, the more the scale brought.',
    panels: panelsOf(left, model.layers, 1, Math.max(1, ...left.map(({ value }) => value)), formatShare),
    columns: 2,
  })
}
