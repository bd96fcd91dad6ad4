import { parseArgs } from 'node:util'
import { closest } from './closest.ts'
import type { Option, OptionTable, Values } from './options.ts'

/** The command line is wrong: exit code 2. The message names the option and says what is expected. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** `headBits` -> `head-bits`. */
export const kebabCase = (key: string): string => key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)

/** Parsed arguments of one command. */
export interface ParsedArguments<O extends OptionTable> {
  readonly positionals: readonly string[]
  readonly options: Values<O>
}

/**
 * Splits and checks the arguments of a command. Node's `parseArgs` splits them into tokens; this refuses what it lets
 * pass: unknown options (naming the nearest known one), options without their value, switches with one, values that
 * do not parse, and a wrong number of positional arguments.
 *
 * A value may begin with a dash (`--group-size -1`) unless it is itself an option of the command: then the value was
 * forgotten, and `--option=VALUE` says it if it was not. The last of several wins, except for options that repeat.
 * With `lastRepeats`, the last positional argument may be given many times. With `--help` nothing else is checked beyond the names.
 * @throws UsageError
 */
export const parseArguments = <O extends OptionTable>(
  args: readonly string[],
  table: O,
  positionalNames: readonly string[],
  lastRepeats = false,
): ParsedArguments<O> => {
  const byFlag = new Map(
    Object.entries<Option<unknown>>(table).map(([key, option]) => [kebabCase(key), { key, option }]),
  )
  const shorts = new Map(
    [...byFlag].flatMap(([name, { option }]) => (option.short ? [[option.short, name]] : [])) as [string, string][],
  )
  const isOption = (value: string): boolean => {
    const name = value.split('=')[0] ?? value
    return byFlag.has(name.replace(/^--/, ''))
      ? name.startsWith('--')
      : shorts.has(name.slice(1)) && name.startsWith('-')
  }
  const { tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries(
      [...byFlag].map(([name, { option }]) => [
        name,
        { type: option.parse ? 'string' : 'boolean', ...(option.short ? { short: option.short } : {}) } as const,
      ]),
    ),
    strict: false,
    allowPositionals: true,
    tokens: true,
  })
  const positionals: string[] = []
  const values: Record<string, unknown> = {}
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value)
    if (token.kind !== 'option') continue
    const found = byFlag.get(token.name)
    if (!found) {
      const guess = closest(token.name, [...byFlag.keys()])
      throw new UsageError(`unknown option ${token.rawName}${guess ? `; did you mean --${guess}?` : ''}`)
    }
    const { key, option } = found
    if (!option.parse) {
      if (token.value !== undefined)
        throw new UsageError(`--${token.name} takes no value, but got ${JSON.stringify(token.value)}`)
      values[key] = true
      continue
    }
    if (token.value === undefined || (!token.inlineValue && isOption(token.value))) {
      throw new UsageError(
        `--${token.name} needs a value: --${token.name} ${option.hint ?? 'VALUE'}` +
          (token.value === undefined
            ? ''
            : ` (${token.value} after it is an option; --${token.name}=${token.value} makes it the value)`),
      )
    }
    const value = parseValue(token.name, option, token.value)
    values[key] = option.repeat ? [...((values[key] as unknown[] | undefined) ?? []), value] : value
  }
  if (!values.help) checkPositionals(positionals, positionalNames, lastRepeats)
  const complete: Record<string, unknown> = {}
  for (const [name, { key, option }] of byFlag) {
    if (option.required && !(key in values) && !values.help) {
      const short = option.short ? `-${option.short}` : `--${name}`
      throw new UsageError(`--${name} is missing: add ${short} ${option.hint ?? 'VALUE'}`)
    }
    complete[key] = key in values ? values[key] : option.fallback
  }
  return { positionals, options: complete as Values<O> }
}

const parseValue = (name: string, option: Option<unknown>, value: string): unknown => {
  try {
    return option.parse?.(value)
  } catch (error) {
    throw new UsageError(`--${name} ${error instanceof Error ? error.message : String(error)}`)
  }
}

const checkPositionals = (given: readonly string[], names: readonly string[], lastRepeats: boolean): void => {
  const missing = names[given.length]
  if (missing !== undefined) throw new UsageError(`${missing} is missing`)
  for (const [index, value] of given.entries()) {
    const name = names[index] ?? (lastRepeats ? names.at(-1) : undefined)
    if (name === undefined) throw new UsageError(`unexpected argument ${JSON.stringify(value)}`)
    if (value.trim() === '') throw new UsageError(`${name} is empty`)
  }
}
