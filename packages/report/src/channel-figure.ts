import type { InputRecord, QuantizationRecord } from '@awq/core'
import { layerAxis, logAxis } from './axis.ts'
import { figure, legend } from './figure.ts'
import { significant } from './format.ts'
import type { Markup } from './html.ts'
import { dots, notes, panel, placesOf } from './panel.ts'
import { alikeName, groupBy, joinNames } from './summary.ts'

/** Classes of scales, each with its color. */
const CLASSES = [
  { kind: 'scale-0', label: 'not scaled up', below: 1.0005 },
  { kind: 'scale-1', label: 'up to 1.5×', below: 1.5 },
  { kind: 'scale-2', label: 'up to 2×', below: 2 },
  { kind: 'scale-3', label: 'up to 4×', below: 4 },
  { kind: 'scale-4', label: 'more', below: Number.POSITIVE_INFINITY },
] as const

const classOf = (scale: number): string => (CLASSES.find(({ below }) => scale < below) ?? CLASSES[0]).kind

const times = (ratio: number): string => `${significant(ratio, 1)}×`

/** The largest channels of every input, by how far they stand out. */
export const channelFigure = ({ inputs, model }: QuantizationRecord): Markup | undefined => {
  const shown = inputs.filter(({ median, channels }) => median > 0 && channels.length > 0)
  if (shown.length === 0) return undefined
  const ratiosOf = ({ channels, median }: InputRecord) => channels.map(({ meanAbs }) => meanAbs / median)
  const x = layerAxis(model.layers)
  const y = logAxis(shown.flatMap(ratiosOf), times)
  const place = placesOf(x, y)
  const panels = [...groupBy(shown, ({ readers }) => readers.map(alikeName).join())].map(([, members]) => {
    const spots = members.flatMap(({ layer, channels, median }) =>
      channels.map(({ meanAbs, scale }) => ({
        kind: classOf(scale),
        point: [place.x(layer), place.y(meanAbs / median)] as const,
      })),
    )
    const largest = Math.max(...members.flatMap(ratiosOf))
    return panel({
      title: `input of ${joinNames(members[0]!.readers)}`,
      description: `the largest channel is ${times(largest)} the median one`,
      ...{ x, y, xLabel: 'layer' },
      marks: [
        ...CLASSES.map(({ kind }) =>
          dots(
            `small ${kind}`,
            spots.filter((spot) => spot.kind === kind).map(({ point }) => point),
          ),
        ),
        ...notes(
          members.map(({ layer, channels, median }) => ({
            x: place.x(layer),
            note: `layer ${layer}\n${channels
              .map(
                ({ index, meanAbs, scale }) =>
                  `channel ${index}: ${significant(meanAbs / median, 2)}× the median, scaled ${significant(scale)}×`,
              )
              .join('\n')}`,
          })),
          model.layers,
        ),
      ],
    })
  })
  const some = new Set(inputs.flatMap(({ channels }) => channels.map(({ scale }) => classOf(scale))))
  return figure({
    title: 'Salient channels',
    caption:
      `Mean |activation| of the ${Math.max(...inputs.map(({ channels }) => channels.length))} largest channels of each input, against the median channel, logarithmic. ` +
      'Weights that read a channel far above the others cost most when rounded; color shows how far they were scaled up before rounding.',
    legend: legend(CLASSES.filter(({ kind }) => some.has(kind))),
    panels,
    columns: 2,
  })
}
