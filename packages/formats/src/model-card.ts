/**
 * The README.md that goes along with a model: what it is, how it was made, how good it is.
 * @module
 */
import { calibrationText, type Provenance } from '@awq/quantize'
import { bitsPerWeight, type ModelForms, matrixKinds } from './matrix-kinds.ts'

/** The model card's file. */
export const CARD_FILE = 'README.md'

/** What a card is made of. */
export interface CardParts extends ModelForms {
  readonly provenance: Provenance
  /** The format that it is for. */
  readonly format: { readonly name: string; readonly title: string; readonly usage?: string | undefined }
}

/** Text of a file that anyone may have written, in one line that Markdown and HTML take as it is. */
const plain = (text: string): string =>
  text
    .slice(0, 1000)
    .replace(/[\p{Cc}\p{Bidi_Control}\s]+/gu, ' ')
    .replace(/[\\`*_[\]<>|#&]/g, (character) => `\\${character}`)
    .trim()

/** A line of a fenced block, which a line of backquotes would end. */
const codeLine = (text: string): string =>
  text
    .slice(0, 4000)
    .replace(/[\p{Cc}\p{Bidi_Control}\s]+/gu, ' ')
    .replaceAll('```', "'''")
    .trim()

const table = (heading: readonly string[], rows: readonly (readonly string[])[]): string[] =>
  [heading, heading.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`)

const number = (value: number, digits: number): string =>
  Number.isFinite(value) ? value.toFixed(digits) : String(value)

const frontMatter = ({ provenance: { source, method }, format }: CardParts): string[] => [
  '---',
  ...(source.repository === undefined
    ? []
    : [`base_model: ${JSON.stringify(source.repository)}`, 'base_model_relation: quantized']),
  'pipeline_tag: text-generation',
  `tags: [${[...new Set([...(method.includes('awq') ? ['awq'] : []), format.name, 'quantized'])].join(', ')}]`,
  '---',
]

const measured = ({ evaluation }: Provenance): string[] => {
  if (!evaluation) return []
  const { text, tokens, window, perplexity, floatPerplexity, kl, top1 } = evaluation
  const figures: readonly (readonly [string, number | undefined, number])[] = [
    ['perplexity', perplexity, 4],
    ['perplexity of the float model', floatPerplexity, 4],
    ['KL divergence from the float model, nats per token', kl, 5],
    ['tokens on which the first choice is the same, %', top1 === undefined ? undefined : top1 * 100, 2],
  ]
  const rows = figures.flatMap(([name, value, digits]) => (value === undefined ? [] : [[name, number(value, digits)]]))
  return [
    '## Measured',
    '',
    `On ${plain(text)}: ${tokens} tokens in windows of ${window}, with the store that \`awq quantize\` wrote.`,
    '',
    ...table(['measure', 'value'], rows),
    '',
  ]
}

/** The text of a model card. What files say (names, texts) stands in it as plain text. */
export const modelCard = (parts: CardParts): string => {
  const { provenance, format } = parts
  const { source, method, calibration, commands = [] } = provenance
  const origin = plain(source.repository ?? source.name)
  const revision = source.revision === undefined ? '' : `, revision ${plain(source.revision)}`
  const calibrated = calibration
    ? calibrationText({ ...calibration, source: plain(calibration.source) })
    : 'none: the method looks at no text'
  return `${[
    ...frontMatter(parts),
    '',
    `# ${origin}, quantized`,
    '',
    ...table(
      ['', ''],
      [
        ['model', `${origin}${revision}`],
        ['format', `${format.name}: ${format.title}`],
        ['method', plain(method)],
        ['calibration', calibrated],
        ['bits per weight', `${number(bitsPerWeight(parts), 2)}, scales and zero points included`],
      ],
    ),
    '',
    ...(commands.length > 0 ? ['## Made by', '', '```sh', ...commands.map(codeLine), '```', ''] : []),
    '## Bits of each kind of matrix',
    '',
    ...table(
      ['matrix', 'count', 'stored as'],
      matrixKinds(parts).map(({ name, count, form }) => [`\`${codeLine(name)}\``, String(count), form]),
    ),
    '',
    ...measured(provenance),
    '## Files',
    '',
    `Their SHA-256 are in \`${format.name === 'awq' ? 'quantization.json' : 'provenance.json'}\`; \`awq inspect OUT\` compares them.`,
    '',
    ...(format.usage === undefined ? [] : ['## Use', '', format.usage.trim(), '']),
  ]
    .join('\n')
    .trimEnd()}\n`
}
