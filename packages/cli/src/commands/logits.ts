import { AwqError } from '@awq/tensor'
import { defineCommand, modelPositional, type Session } from '../command.ts'
import { significant } from '../format.ts'
import { toJsonLine } from '../json.ts'
import type { LanguageModel } from '../libraries.ts'
import { openModel } from '../model.ts'
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

const describe = (model: LanguageModel, logits: Float32Array, id: number): string[] => [
  String(id),
  significant(logits[id] ?? 0, 5),
  significant(probability(logits, id), 3),
  JSON.stringify(model.tokenizer.decode([id])),
]

const columns = [
  { title: 'id', align: 'right' },
  { title: 'logit', align: 'right' },
  { title: 'probability', align: 'right' },
  { title: 'token' },
] as const

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
    await using model = await openModel(session, reference, options, options.accuracy)
    const rows = options.all
      ? await model.logits(options.ids, { all: true, signal })
      : [await model.logits(options.ids, { signal })]
    rows.forEach((row, index) => {
      if (row.some(Number.isNaN)) {
        throw new AwqError(
          'NUMERIC',
          `the logits at position ${options.all ? index : options.ids.length - 1} are not numbers (NaN)`,
        )
      }
    })
    const last = rows[rows.length - 1] ?? new Float32Array()
    if (reporter.json) {
      if (options.all) await writeRows(session, rows)
      else reporter.event({ type: 'done', logits: last })
    } else if (options.all) {
      const lines = rows.map((row, position) => [String(position), ...describe(model, row, largest(row, 1)[0] ?? 0)])
      reporter.print(...formatTable([{ title: 'position', align: 'right' }, ...columns], lines))
      reporter.note('the most likely token at each position; --json prints all logits')
    } else {
      reporter.print(
        ...formatTable(
          columns,
          largest(last, shown).map((id) => describe(model, last, id)),
        ),
      )
      reporter.note(`the ${shown} most likely of ${last.length} tokens; --json prints all logits`)
    }
  },
})
