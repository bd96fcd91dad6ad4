import type { Command, Positional } from './command.ts'
import { commonOptions, type OptionTable } from './options.ts'
import { kebabCase } from './parse.ts'

const width = 80

/** Breaks text at blanks into lines of at most `limit` characters. */
const wrap = (text: string, limit: number): string[] => {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line && line.length + 1 + word.length > limit) {
      lines.push(line)
      line = word
    } else line = line ? `${line} ${word}` : word
  }
  return [...lines, line]
}

/** A command line in lines of at most 80 characters, broken before options as a POSIX shell reads them together again. */
const commandLines = (command: string): string[] => {
  const lines: string[] = []
  for (const part of command.split(/ (?=--)/)) {
    const last = lines.at(-1)
    const joined = `${last} ${part}`
    if (last !== undefined && joined.length <= width - 2) lines[lines.length - 1] = joined
    else lines.push(`${last === undefined ? '  ' : '    '}${part}`)
  }
  return lines.map((line, index) => (index < lines.length - 1 ? `${line} \\` : line))
}

/** Pairs of a term and its description in two columns; a long term has a line of its own. */
const definitions = (pairs: readonly (readonly [string, string])[]): string[] => {
  const column = Math.min(26, Math.max(...pairs.map(([term]) => term.length)) + 2)
  return pairs.flatMap(([term, description]) => {
    const lines = wrap(description, width - column - 2)
    const first =
      term.length + 2 > column
        ? [`  ${term}`, `  ${' '.repeat(column)}${lines[0]}`]
        : [`  ${term.padEnd(column)}${lines[0]}`]
    return [...first, ...lines.slice(1).map((line) => `  ${' '.repeat(column)}${line}`)]
  })
}

const optionPairs = (table: OptionTable): [string, string][] =>
  Object.entries(table).map(([key, option]) => {
    const short = option.short ? `-${option.short}, ` : ''
    const description = `${option.description}${option.required ? ' (required)' : ''}${option.repeat ? ' (may be repeated)' : ''}`
    return [`${short}--${kebabCase(key)}${option.hint ? ` ${option.hint}` : ''}`, description]
  })

const positionalText = ({ name, repeat }: Positional): string => (repeat ? `${name} [${name}…]` : name)

const usageLine = (command: Command): string => {
  const requiredOptions = Object.entries(command.options)
    .filter(([, option]) => option.required)
    .map(([key, option]) => `${option.short ? `-${option.short}` : `--${kebabCase(key)}`} ${option.hint}`)
  return ['awq', command.name, ...command.positionals.map(positionalText), ...requiredOptions, '[options]'].join(' ')
}

/** The text of `awq COMMAND --help`. */
export const commandHelp = (command: Command): string =>
  [
    command.summary,
    '',
    `Usage: ${usageLine(command)}`,
    '',
    ...definitions(command.positionals.map(({ name, description }) => [name, description] as const)),
    '',
    'Options:',
    ...definitions(optionPairs(command.options)),
    '',
    'Options of every command:',
    ...definitions(optionPairs(commonOptions)),
    '',
    'Examples:',
    ...command.examples.flatMap(commandLines),
    '',
  ].join('\n')

/** The text of `awq --help`. */
export const generalHelp = (commands: readonly Command[], version: string): string =>
  [
    ...wrap(`awq ${version}: make language models small by activation-aware weight quantization, and run them.`, width),
    '',
    'Usage: awq COMMAND MODEL [options]',
    '',
    'Commands:',
    ...definitions(commands.map(({ name, summary }) => [name, summary] as const)),
    '',
    'Start here:',
    ...commandLines('awq quantize HuggingFaceTB/SmolLM2-135M-Instruct -o smollm2-4bit --group-size 64'),
    ...commandLines('awq chat smollm2-4bit'),
    '',
    'MODEL is a local folder or a hub id (ORG/NAME). awq COMMAND --help lists the',
    'options of a command, awq --version prints the version.',
    'Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.',
    '',
  ].join('\n')

/** Where to read on after wrong usage; `program` is how the reader starts the command. */
export const usageHint = (command: Command | undefined, program: string): string =>
  command
    ? `usage: ${usageLine(command)}   (${program} ${command.name} --help lists the options)`
    : `usage: awq COMMAND MODEL [options]   (${program} --help lists the commands)`
