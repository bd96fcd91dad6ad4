import { collapse } from './collapse.ts'
import { formatBytes, formatCount, plural, significant } from './format.ts'
import type { InspectedManifest, InspectedProvenance, InspectedTensor, Inspection } from './libraries.ts'
import { type Column, formatTable } from './table.ts'

/** A parameter as people think of it: a quantized matrix is one, though it is stored as three tensors. */
interface Parameter {
  readonly name: string
  /** A dtype, or bits and group of a quantized matrix. */
  readonly form: string
  readonly shape: readonly number[]
  readonly bytes: number
}

const groupText = (groupSize: number): string => (groupSize === -1 ? 'per channel' : `group ${groupSize}`)

/** Joins the codes, scales and zero points of each quantized matrix. */
export const parametersOf = (tensors: readonly InspectedTensor[], manifest?: InspectedManifest): Parameter[] => {
  const parameters = new Map<string, Parameter>()
  for (const { name, dtype, shape, bytes } of tensors) {
    const base = name.replace(/\.(codes|scales|zeroPoints)$/, '')
    const matrix =
      base !== name && manifest && Object.hasOwn(manifest.matrices, base) ? manifest.matrices[base] : undefined
    if (!matrix) {
      parameters.set(name, { name, form: dtype, shape, bytes })
      continue
    }
    const form = `${matrix.bits} bits, ${groupText(matrix.groupSize)}`
    parameters.set(base, { name: base, form, shape: matrix.shape, bytes: (parameters.get(base)?.bytes ?? 0) + bytes })
  }
  return [...parameters.values()]
}

/** What a model was calibrated on: texts of one length, records with images of their own. */
const calibrationText = (calibration: NonNullable<InspectedProvenance['calibration']>): string => {
  const { source, samples, length, images } = calibration
  const texts = samples > 0 || !images ? [`${samples} x ${length} tokens`] : []
  const shown = images ? [`${plural(images.samples, 'sample')} with images (${plural(images.tokens, 'token')})`] : []
  return [source, ...texts, ...shown].join(', ')
}

const families = <T>(items: readonly T[], all: boolean, nameOf: (item: T) => string, key: (item: T) => string) =>
  all ? items.map((item) => ({ name: nameOf(item), members: [item] })) : collapse(items, nameOf, key)

/** Without the path of its block: `model.layers.3.mlp.up_proj` -> `mlp.up_proj`. */
const withinBlock = (name: string): string => name.replace(/^.*?\.\d+\./, '')

/** Names that share all but their last component, as a shell would write them: `self_attn.{q_proj,k_proj}`. */
const braced = (names: readonly string[]): string => {
  const paths = new Map<string, string[]>()
  for (const name of names) {
    const path = name.slice(0, name.lastIndexOf('.') + 1)
    paths.set(path, [...(paths.get(path) ?? []), name.slice(path.length)])
  }
  return [...paths].map(([path, last]) => `${path}${last.length > 1 ? `{${last.join(',')}}` : last[0]}`).join(', ')
}

/**
 * Rows with the path of their block, which makes them wide, on a line of its own above: rows within a block are
 * indented.
 */
const underBlocks = (columns: readonly Column[], rows: readonly (readonly string[])[]): string[] => {
  const blockOf = ([name = '']: readonly string[]): string => /^.*?\.[\d.-]+(?=\.)/.exec(name)?.[0] ?? ''
  const cells = rows.map((row) => {
    const block = blockOf(row)
    return block === '' ? row : [`  ${(row[0] ?? '').slice(block.length + 1)}`, ...row.slice(1)]
  })
  const [heading = '', ...lines] = formatTable(columns, cells)
  return [
    heading,
    ...lines.flatMap((line, index) => {
      const block = blockOf(rows[index] ?? [])
      return block === '' || block === blockOf(rows[index - 1] ?? []) ? [line] : [block, line]
    }),
  ]
}

const tensorLines = ({ tensors, manifest }: Inspection, all: boolean): string[] => {
  const parameters = parametersOf(tensors, manifest)
  const rows = families(
    parameters,
    all,
    ({ name }) => name,
    ({ form, shape }) => `${form} ${shape.join()}`,
  )
  return underBlocks(
    [
      { title: 'tensor' },
      { title: 'count', align: 'right' },
      { title: 'stored as' },
      { title: 'shape' },
      { title: 'size', align: 'right' },
    ],
    rows.map(({ name, members }) => [
      name,
      String(members.length),
      members[0]?.form ?? '',
      `[${members[0]?.shape.join(', ') ?? ''}]`,
      formatBytes(members.reduce((sum, { bytes }) => sum + bytes, 0)),
    ]),
  )
}

const scaleGroupLines = ({ scaleGroups }: Inspection, all: boolean): string[] => {
  type Group = Inspection['scaleGroups'][number]
  const readersOf = (groups: readonly Group[]): string => {
    const names = [...new Set(groups.flatMap(({ consumers }) => consumers.map(withinBlock)))]
    return braced(all ? names : collapse(names, String, () => '').map(({ name }) => name))
  }
  const kindOf = ({ kind, consumers }: Group): string =>
    [kind, ...new Set(consumers.map((name) => withinBlock(name).replace(/(?<=\.)\d+(?=\.)/g, '*')))].join(' ')
  const rows = families(scaleGroups, all, ({ producer }) => producer, kindOf)
  return underBlocks(
    [{ title: 'scale group' }, { title: 'count', align: 'right' }, { title: 'kind' }, { title: 'consumers' }],
    rows.flatMap(({ name, members }) => {
      const [group] = members
      return group ? [[name, String(members.length), group.kind, readersOf(members)]] : []
    }),
  )
}

/** Formats that need no mention: what runs. */
const OWN = ['awq', 'float']

const evaluationText = (evaluation: NonNullable<InspectedProvenance['evaluation']>): string => {
  const { text, perplexity, floatPerplexity, kl } = evaluation
  return [
    `perplexity ${significant(perplexity, 4)} on ${text}`,
    ...(floatPerplexity === undefined ? [] : [`float ${significant(floatPerplexity, 4)}`]),
    ...(kl === undefined ? [] : [`KL ${significant(kl, 3)}`]),
  ].join(', ')
}

/** Words in lines that fit beside the terms of a summary. */
const wrapped = (text: string, width = 64): string[] => {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last === undefined || last.length + word.length >= width) lines.push(word)
    else lines[lines.length - 1] = `${last} ${word}`
  }
  return lines
}

const summary = (
  reference: string,
  { kind, format, architecture, config, parameters, bytes, manifest, provenance = manifest, files }: Inspection,
): string[] => {
  const { layers, hiddenSize, intermediateSize, heads, kvHeads, headDim, vocabSize, contextLength, tiedEmbeddings } =
    config
  const rows: (readonly [string, string])[] = [
    ['architecture', architecture],
    ['layers', `${layers}, hidden size ${hiddenSize}, intermediate size ${intermediateSize}`],
    ['attention', `${heads} heads of ${headDim}${kvHeads === heads ? '' : `, ${kvHeads} of keys and values`}`],
    ['vocabulary', `${formatCount(vocabSize)} tokens${tiedEmbeddings ? ', one table for embedding and head' : ''}`],
    ['context', `${formatCount(contextLength)} tokens`],
    ['parameters', formatCount(parameters)],
    ['size', `${formatBytes(bytes)}, ${significant((bytes * 8) / parameters, 3)} bits per parameter`],
  ]
  if (manifest) {
    const { method, bits, groupSize, symmetric } = manifest
    rows.push([
      'quantized',
      `${method}, ${bits} bits, ${groupText(groupSize)}, ${symmetric ? 'symmetric' : 'with zero points'}`,
    ])
  }
  if (provenance) {
    const { calibration, commands = [], evaluation } = provenance
    if (calibration) rows.push(['calibration', calibrationText(calibration)])
    if (evaluation) rows.push(['measured', evaluationText(evaluation)])
    for (const command of commands)
      rows.push(...wrapped(command).map((line, index) => [index === 0 ? 'made by' : '', line] as const))
  }
  if (files) {
    const { intact, damaged } = files
    const bad = damaged.length > 0 ? `; DAMAGED OR CHANGED: ${damaged.join(', ')}` : ''
    rows.push(['hashes', `${plural(intact.length, 'file')} as written (SHA-256)${bad}`])
  }
  return [
    `${reference}: ${kind === 'float' ? 'a float checkpoint' : 'a quantized model'}${OWN.includes(format) ? '' : `, format ${format}`}`,
    ...rows.map(([term, text]) => `  ${term.padEnd(12)}  ${text}`),
  ]
}

/** What `awq inspect` prints: a summary, tensors and scale groups; one line per kind unless `all`. */
export const inspectionLines = (reference: string, inspection: Inspection, all: boolean): string[] => [
  ...summary(reference, inspection),
  '',
  ...tensorLines(inspection, all),
  '',
  ...scaleGroupLines(inspection, all),
]
