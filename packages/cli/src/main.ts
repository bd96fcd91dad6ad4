import { closest } from './closest.ts'
import type { Command } from './command.ts'
import { commandText } from './command-text.ts'
import { commands } from './commands/index.ts'
import { type Context, nodeContext } from './context.ts'
import { describeError } from './describe-error.ts'
import { commandHelp, generalHelp, usageHint } from './help.ts'
import { createInterruption } from './interrupt.ts'
import { commonOptions } from './options.ts'
import { parseArguments, UsageError } from './parse.ts'
import { createReporter } from './reporter.ts'
import { packageVersion } from './version.ts'

/** What the process ends with. */
export const exitCodes = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const

/**
 * Runs the command line `args` (without `node` and the script) and returns the exit code: 0 done, 1 failed, 2 wrong
 * usage, 130 interrupted. Never throws: what goes wrong is one line on stderr, and with `--json` also a last event
 * `{ type: 'error', code, message }` on stdout.
 */
export const main = async (args: readonly string[], context: Context = nodeContext()): Promise<number> => {
  const [first, ...rest] = args
  const named = commands.find((command) => command.name === first)
  try {
    if (named) return await runCommand(named, args, context)
    if (first === '--version' || first === '-v' || first === '-V') {
      context.stdout.write(`${await packageVersion()}\n`)
      return exitCodes.done
    }
    if (first === '--help' || first === '-h' || first === 'help') {
      const about = commands.find((command) => command.name === rest[0])
      if (first === 'help' && rest[0] !== undefined && !about) throw unknownCommand(rest[0])
      context.stdout.write(about ? commandHelp(about) : generalHelp(commands, await packageVersion()))
      return exitCodes.done
    }
    if (first === undefined) throw new UsageError('no command given')
    throw first.startsWith('-')
      ? new UsageError(`${first} comes after the command: awq COMMAND MODEL ${first}`)
      : unknownCommand(first)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    const json = args.includes('--json')
    const reporter = createReporter(context, json)
    reporter.event({ type: 'error', code: 'USAGE', message: error.message })
    reporter.complain(`awq: ${error.message}`)
    reporter.complain(usageHint(named, context.program))
    return exitCodes.usage
  }
}

const unknownCommand = (name: string): UsageError => {
  const guess = closest(
    name,
    commands.map((command) => command.name),
  )
  return new UsageError(`unknown command ${JSON.stringify(name)}${guess ? `; did you mean ${guess}?` : ''}`)
}

/** Parses, runs, and turns what was thrown into an exit code. Usage errors pass through. */
const runCommand = async (command: Command, args: readonly string[], context: Context): Promise<number> => {
  const names = command.positionals.map(({ name }) => name)
  const table = { ...command.options, ...commonOptions }
  const lastRepeats = command.positionals.at(-1)?.repeat === true
  const { positionals, options } = parseArguments(args.slice(1), table, names, lastRepeats)
  if (options.help) {
    context.stdout.write(commandHelp(command))
    return exitCodes.done
  }
  const reporter = createReporter(context, options.json)
  const interruption = createInterruption(context, reporter, command.survivesClosedStdout !== true)
  try {
    const session = { context, reporter, interruption, signal: interruption.signal, args }
    const written = commandText(command, positionals, options)
    await command.run({ ...session, command: written }, positionals, options)
    await flush(context)
    const failure = interruption.failure()
    if (failure) throw failure
    return exitCodes.done
  } catch (error) {
    if (error instanceof UsageError) throw error
    reporter.clear()
    if (interruption.cause() === 'closed-stdout') return exitCodes.done
    const interrupted = interruption.cause() === 'interrupt'
    const described = interrupted
      ? { code: 'INTERRUPTED', message: 'interrupted' }
      : describeError(interruption.failure() ?? error)
    reporter.event({ type: 'error', ...described })
    reporter.complain(`awq: ${described.message}`)
    if (options.debug && error instanceof Error) reporter.complain(stackOf(error))
    return interrupted ? exitCodes.interrupted : exitCodes.failed
  } finally {
    interruption.dispose()
  }
}

/** Waits until everything written to stdout has left, so that a failure to write is known before the exit code. */
const flush = async ({ stdout }: Context): Promise<void> => {
  if (stdout.destroyed || stdout.writableEnded) return
  await new Promise<void>((resolve) => stdout.write('', () => setImmediate(resolve)))
}

/** The stack of an error and of its causes. */
const stackOf = (error: Error): string => {
  const cause = error.cause instanceof Error ? `\ncaused by ${stackOf(error.cause)}` : ''
  return `${error.stack ?? error.message}${cause}`
}
