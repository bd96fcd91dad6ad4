import { AwqError } from '@awq/tensor'
import { documentWithImages } from './image-records.ts'
import type { ChatMessage, TextDocument } from './types.ts'

/** Fields that hold a conversation: `{ role, content }`, or `{ from, value }` as ShareGPT writes it. */
const conversationFields = ['messages', 'conversations', 'conversation'] as const

/** Fields that hold plain text. */
const textFields = ['text', 'content'] as const

/** Pairs of fields that make a conversation of two turns; a third one, if any, is appended to the question. */
const pairFields = [
  { question: 'prompt', answer: 'response' },
  { question: 'prompt', answer: 'completion' },
  { question: 'question', answer: 'answer' },
  { question: 'instruction', answer: 'output', extra: 'input' },
] as const

/** Every field that a record is searched for, in order of preference. */
export const recordFields: readonly string[] = [
  ...new Set([...conversationFields, ...textFields, ...pairFields.flatMap((pair) => Object.values(pair))]),
]

/** The fields as an error message lists them. */
const wanted =
  `${[...conversationFields, ...textFields].join(', ')}, ` +
  pairFields.map((pair) => `${pair.question} + ${pair.answer}`).join(', ')

const roles: Readonly<Record<string, string>> = {
  human: 'user',
  gpt: 'assistant',
  bot: 'assistant',
  chatgpt: 'assistant',
}

/**
 * The document in one record of a data set: a string, a list of messages, or an object with one of the known fields.
 * `where` names the record in messages (file and line or row). Throws `AwqError` INVALID_FILE that lists the fields looked for
 * and those found. An empty text gives `''`. Images of the record (`image`, `images`, parts of messages) make it an `ImageDocument`.
 */
export function documentOf(record: unknown, where: string): TextDocument {
  return documentWithImages(record, textOf(record, where), where)
}

/** The text of a record, whatever images it has besides. */
function textOf(record: unknown, where: string): string | ChatMessage[] {
  if (typeof record === 'string') return record
  if (Array.isArray(record)) return conversation(record, where)
  if (typeof record !== 'object' || record === null) {
    throw new AwqError('INVALID_FILE', `${where} is ${JSON.stringify(record)}, not an object or a string`)
  }
  const fields = record as Record<string, unknown>
  for (const name of conversationFields) if (Array.isArray(fields[name])) return conversation(fields[name], where)
  for (const name of textFields) if (typeof fields[name] === 'string') return fields[name]
  for (const pair of pairFields) {
    const { [pair.question]: question, [pair.answer]: answer } = fields
    if (typeof question !== 'string' || typeof answer !== 'string') continue
    const extra = 'extra' in pair ? fields[pair.extra] : undefined
    return [
      { role: 'user', content: typeof extra === 'string' && extra !== '' ? `${question}\n${extra}` : question },
      { role: 'assistant', content: answer },
    ]
  }
  // A null text is an empty row, not a wrong file.
  for (const name of textFields) if (fields[name] === null) return ''
  const found = Object.keys(fields).slice(0, 20).join(', ') || 'none'
  throw new AwqError('INVALID_FILE', `${where} has no text: looked for the fields ${wanted}; found ${found}`)
}

function conversation(turns: readonly unknown[], where: string): ChatMessage[] {
  return turns.map((turn, i) => {
    const fields = (typeof turn === 'object' && turn !== null ? turn : {}) as Record<string, unknown>
    if (typeof fields.role === 'string') return fields as ChatMessage
    if (typeof fields.from === 'string' && typeof fields.value === 'string') {
      return { role: roles[fields.from] ?? fields.from, content: fields.value }
    }
    throw new AwqError('INVALID_FILE', `${where}, message ${i}: expected { role, content } or { from, value }`)
  })
}
