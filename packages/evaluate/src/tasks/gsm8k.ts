/**
 * GSM8K: grade-school word problems, answered by a chain of thought that ends in a number.
 * @module
 */
import { AwqError } from '@awq/tensor'
import type { ChatMessage, JsonRecord } from '@awq/text'
import { gsm8kShots, type SolvedProblem } from './gsm8k-shots.ts'
import { type Task, textField } from './task.ts'

const name = 'gsm8k'

/** Drops thousands separators, a currency sign and the full stop of a sentence; `18.00` is `18`. */
const plainNumber = (text: string): string => {
  const bare = text.replaceAll(/[,$]/g, '').replace(/\.$/, '')
  const value = Number(bare)
  return bare !== '' && Number.isFinite(value) ? String(value) : bare
}

/** The number after the first `####`, without separators; undefined when there is none. */
export const strictAnswer = (output: string): string | undefined => {
  const found = /####\s*\$?(-?\$?\d+(?:,\d{3})*(?:\.\d+)?)/.exec(output)?.[1]
  return found === undefined ? undefined : plainNumber(found)
}

/** The last number anywhere, without separators; undefined when there is none. */
export const flexibleAnswer = (output: string): string | undefined => {
  // A minus belongs to a number only where no number or word stands before it: "20-15" ends in 15.
  const found = output.match(/(?<![\w.])-?\$?\d+(?:,\d{3})*(?:\.\d+)?|\d+(?:,\d{3})*(?:\.\d+)?/g)?.at(-1)
  return found === undefined ? undefined : plainNumber(found)
}

const readProblem = (record: JsonRecord): SolvedProblem => ({
  question: textField(record, 'question', name).trim(),
  // `<<48/2=24>>` are notes for a calculator, not text.
  answer: textField(record, 'answer', name)
    .replaceAll(/<<[^>]*>>/g, '')
    .trim(),
})

const chooseShots = (count: number, records: readonly JsonRecord[] | undefined): readonly SolvedProblem[] => {
  const all = records ? records.slice(0, count).map(readProblem) : gsm8kShots
  if (all.length < count) {
    const advice = records ? 'give a file with more' : 'give a file of examples, such as train.jsonl'
    throw new AwqError(
      'INVALID_ARGUMENT',
      `gsm8k has ${all.length} solved examples, ${count} were asked for; ${advice}.`,
    )
  }
  return all.slice(0, count)
}

/** `Question: …` and `Answer:` for each; an empty line between. */
const promptText = (shots: readonly SolvedProblem[], question: string): string =>
  [...shots.map((shot) => `Question: ${shot.question}\nAnswer: ${shot.answer}`), `Question: ${question}\nAnswer:`].join(
    '\n\n',
  )

const instruction = 'Solve the problem step by step. End with a line that has only #### and the answer as a number.'

/** The same as turns; the instruction stands in the first one. */
const promptMessages = (shots: readonly SolvedProblem[], question: string): ChatMessage[] => {
  const turns = [
    ...shots.flatMap((shot) => [
      { role: 'user', content: shot.question },
      { role: 'assistant', content: shot.answer },
    ]),
    { role: 'user', content: question },
  ]
  return turns.map((turn, i) => (i === 0 ? { ...turn, content: `${instruction}\n\n${turn.content}` } : turn))
}

/**
 * GSM8K (Cobbe et al. 2021, arXiv 2110.14168). Records `{ question, answer }`, the answer ending in `#### NUMBER`. Asked
 * after 8 worked examples (chain of thought, Wei et al. 2022, arXiv 2201.11903; the problems are this package's own) in
 * the form `Question: …`, `Answer: … #### NUMBER`. `strict` takes the number after the first `####` of the output;
 * `flexible`, and agreement with a reference, its last number.
 */
export const gsm8k: Task = {
  name,
  data: 'test.jsonl of grade-school-math (fields question and answer)',
  shots: gsm8kShots.length,
  maxNewTokens: 256,
  scores: ['strict', 'flexible'],
  prepare({ shots: count, shotRecords, chat }) {
    const shots = chooseShots(count, shotRecords)
    return (record) => {
      const { question, answer } = readProblem(record)
      const expected = strictAnswer(answer)
      if (expected === undefined) {
        throw new AwqError('INVALID_FILE', `${record.where} is no item of gsm8k: its answer has no "#### NUMBER"`)
      }
      return {
        kind: 'generation',
        id: record.where,
        prompt: chat ? promptMessages(shots, question) : promptText(shots, question),
        stop: chat ? [] : ['\n\nQuestion:', '\nQuestion:', 'Question:'],
        answer: (output) => flexibleAnswer(output) ?? '',
        score: async (output) => ({
          scores: { strict: strictAnswer(output) === expected, flexible: flexibleAnswer(output) === expected },
        }),
      }
    }
  },
}
