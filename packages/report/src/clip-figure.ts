import type { LinearRecord, QuantizationRecord } from '@awq/core'
import { linearAxis } from './axis.ts'
import { figure } from './figure.ts'
import { formatShare, formatWholeShare, plain } from './format.ts'
import type { Markup } from './html.ts'
import { bar, panel, placesOf } from './panel.ts'
import { alikeName, clippedShare, groupBy, joinNames } from './summary.ts'

/** Histograms added up, as shares of all groups. */
const sharesOf = (members: readonly LinearRecord[]): number[] => {
  const sums: number[] = []
  for (const { clip } of members) for (const [bin, groups] of clip.entries()) sums[bin] = (sums[bin] ?? 0) + groups
  const total = sums.reduce((sum, groups) => sum + groups, 0)
  return total > 0 ? sums.map((groups) => groups / total) : []
}

/** How far the ranges of groups were clipped; undefined where no group was. */
export const clipFigure = ({ linears }: QuantizationRecord): Markup | undefined => {
  const kinds = [...groupBy(linears, ({ name }) => alikeName(name))]
    .map(([, members]) => ({ name: joinNames([members[0]!.name]), shares: sharesOf(members) }))
    .filter(({ shares }) => shares.length > 1)
  if (!kinds.some(({ shares }) => clippedShare(shares) > 0)) return undefined
  const bins = Math.max(...kinds.map(({ shares }) => shares.length - 1))
  const first = Math.min(bins - 1, ...kinds.map(({ shares }) => shares.findIndex((share) => share > 0)))
  const low = Math.min(first / bins, 0.5) - 0.5 / bins
  const x = linearAxis(low, 1 + 0.5 / bins, plain, 5)
  const y = linearAxis(0, Math.max(...kinds.flatMap(({ shares }) => shares)), formatWholeShare, 3)
  const place = placesOf(x, y)
  const width = (place.x(1) - place.x(0.5)) / (bins / 2)
  return figure({
    title: 'Clip ratios',
    caption:
      'The part of its full range that each group of weights keeps, over all layers. Groups at 1 keep everything; ' +
      'to their left stand those whose largest weights were cut, so that the others are rounded on a finer grid.',
    panels: kinds.map(({ name, shares }) =>
      panel({
        title: `${name}: ${formatWholeShare(clippedShare(shares))} of groups clipped`,
        description: shares
          .flatMap((share, bin) => (share >= 0.005 ? [`${plain(bin / bins)}: ${formatWholeShare(share)}`] : []))
          .join(', '),
        ...{ x, y, xLabel: 'range kept / full range' },
        marks: shares.flatMap((share, bin) =>
          share > 0
            ? bar(
                bin === bins ? 'full' : 'cut',
                place.x(bin / bins),
                width * 0.78,
                place.y(share),
                `${plain(bin / bins)} of the range: ${formatShare(share)} of groups`,
              )
            : [],
        ),
      }),
    ),
    columns: 3,
  })
}
