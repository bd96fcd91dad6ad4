import { basename, isAbsolute } from 'node:path'
import type { Command } from './command.ts'
import { kebabCase } from './parse.ts'
import { shellQuote } from './shell-quote.ts'

/** Options that do not decide the result, or that are nobody's business. */
const LEFT_OUT = new Set([
  'token',
  'cacheDir',
  'json',
  'debug',
  'help',
  'resume',
  'report',
  'threads',
  'output',
  'skipHashes',
])

/** A path from the root tells where things lie on one machine: its last part is what others can use. */
const withoutPlace = (text: string): string => (isAbsolute(text) ? basename(text) : text)

const valueText = (value: unknown): string =>
  (Array.isArray(value) ? value : [value]).map((item) => withoutPlace(String(item))).join(',')

/**
 * A command as its result's model card shows it: `awq quantize MODEL -o OUT --bits 3`. The options are those that are not
 * their defaults, in the order of the help; the output is always OUT, so that equal work gives equal files.
 */
export const commandText = (
  command: Pick<Command, 'name' | 'options'>,
  positionals: readonly string[],
  values: Readonly<Record<string, unknown>>,
): string => {
  const words = ['awq', command.name, ...positionals.map(withoutPlace)]
  if ('output' in command.options) words.push('-o', 'OUT')
  for (const [key, { parse, fallback, repeat }] of Object.entries(command.options)) {
    const value = values[key]
    if (LEFT_OUT.has(key) || value === undefined || value === fallback) continue
    const flag = `--${kebabCase(key)}`
    if (!parse) words.push(flag)
    else for (const item of repeat ? (value as unknown[]) : [value]) words.push(flag, valueText(item))
  }
  if (values.device !== undefined && values.device !== 'cpu') words.push('--device', String(values.device))
  if (values.revision !== undefined) words.push('--revision', String(values.revision))
  return words.map((word) => shellQuote(word)).join(' ')
}
