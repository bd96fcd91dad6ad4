import { AwqError, type Folder } from '@awq/tensor'
import { defineCommand, modelPositional, type Session } from '../command.ts'
import { pick } from '../defined.ts'
import { describeError } from '../describe-error.ts'
import { significant } from '../format.ts'
import { toJsonLine } from '../json.ts'
import { engineSettings, findModel } from '../model.ts'
import { accuracy, flag, required, withDefault } from '../options.ts'
import { formatTable } from '../table.ts'
import { integer, sequenceOf } from '../values.ts'

const shown = 10

/** Ids of the `count` largest logits, largest first; of equal ones the smaller id first. */
export const largest = (logits: Float32Array, count: number): number[] => {
  const best: number[] = []
  logits.forEach((value, id) => {
    const worst = best[count - 1]
    if (worst !== undefined && value <= (logits[worst] ?? 0)) return
    let at = best.length
    while (at > 0 && (logits[best[at - 1] ?? 0] ?? 0) < value) at--
    best.splice(at, 0, id)
    best.length = Math.min(best.length, count)
  })
  return best
}

/** softmax(logits)[id], computed with the maximum taken out. */
const probability = (logits: Float32Array, id: number): number => {
  const most = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
  return Math.exp((logits[id] ?? 0) - most) / logits.reduce((sum, value) => sum + Math.exp(value - most), 0)
}

/** What a token id stands for, as a JSON string. */
type Naming = (id: number) => string

/** The naming of the model's tokenizer; undefined when it has none: logits need only weights. */
const findNaming = async ({ context, reporter }: Session, model: Folder): Promise<Naming | undefined> => {
  const { loadTokenizer } = await context.libraries.tokenizer()
  try {
    const tokenizer = await loadTokenizer(model)
    return (id) => {
      const decoder = tokenizer.createDecoder({ continuation: true })
      return JSON.stringify(decoder.push(id) + decoder.flush())
    }
  } catch (error) {
    const { code, message } = describeError(error)
    if (code !== 'NOT_FOUND') reporter.progress({ type: 'warning', message: `ids without their tokens: ${message}` })
    return undefined
  }
}

const columns = [
  { title: 'id', align: 'right' },
  { title: 'logit', align: 'right' },
  { title: 'probability', align: 'right' },
] as const
const tokenColumn = { title: 'token' } as const

const cells = (logits: Float32Array, id: number, naming: Naming | undefined): string[] => [
  String(id),
  significant(logits[id] ?? 0, 5),
  significant(probability(logits, id), 3),
  ...(naming ? [naming(id)] : []),
]

/** The most likely tokens of the last position, or with `all` the most likely one of each. */
const printTable = async (
  session: Session,
  model: Folder,
  rows: readonly Float32Array[],
  all: boolean,
): Promise<void> => {
  const { reporter } = session
  const naming = await findNaming(session, model)
  const shownColumns = naming ? [...columns, tokenColumn] : columns
  if (all) {
    const lines = rows.map((row, position) => [String(position), ...cells(row, largest(row, 1)[0] ?? 0, naming)])
    reporter.print(...formatTable([{ title: 'position', align: 'right' }, ...shownColumns], lines))
    reporter.note('the most likely token at each position; --json prints all logits')
    return
  }
  const last = rows[rows.length - 1] ?? new Float32Array()
  const lines = largest(last, shown).map((id) => cells(last, id, naming))
  reporter.print(...formatTable(shownColumns, lines))
  reporter.note(`the ${lines.length} most likely of ${last.length} tokens; --json prints all logits`)
}

/** Row by row, because all positions together can exceed the longest string there is. */
const writeRows = async ({ reporter, signal }: Session, rows: readonly Float32Array[]): Promise<void> => {
  await reporter.raw('{"type":"done","logits":[')
  for (const [index, row] of rows.entries()) {
    signal.throwIfAborted()
    await reporter.raw(`${index ? ',' : ''}${toJsonLine(row)}`)
  }
  await reporter.raw(']}\n')
}

export const logitsCommand = defineCommand({
  name: 'logits',
  summary: 'Print the logits that follow a sequence of token ids',
  positionals: [modelPositional],
  options: {
    ids: required(
      '1,2,3',
      sequenceOf(integer(0, 2 ** 31 - 1, 'whole numbers of at least 0 separated by commas')),
      'Token ids',
    ),
    all: flag('Logits at every position instead of the last one'),
    accuracy: withDefault('MODE', accuracy, 'exact', 'exact: float32 activations; fast: int8 where the engine can'),
  },
  examples: ['awq logits smollm2-4bit --ids 1,504,282 --json', 'awq logits smollm2-4bit --ids 1,504,282 --all'],
  async run(session, [reference = ''], options) {
    const { reporter, signal } = session
    const { ids, all } = options
    const model = await findModel(session, reference, options)
    const { modelLogits } = await session.context.libraries.runtime()
    const rows = await modelLogits(model, ids, {
      ...engineSettings(session, options),
      ...pick(options, ['accuracy', 'all']),
      signal,
    })
    rows.forEach((row, index) => {
      if (row.some(Number.isNaN)) {
        const position = all ? index : ids.length - 1
        throw new AwqError('NUMERIC', `the logits at position ${position} are not numbers (NaN)`)
      }
    })
    if (!reporter.json) await printTable(session, model, rows, all)
    else if (all) await writeRows(session, rows)
    else reporter.event({ type: 'done', logits: rows[0] })
  },
})
