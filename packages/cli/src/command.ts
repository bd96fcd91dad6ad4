import type { Context } from './context.ts'
import type { Interruption } from './interrupt.ts'
import type { CommonValues, OptionTable, Values } from './options.ts'
import type { Reporter } from './reporter.ts'

/** What a running command works with. */
export interface Session {
  readonly context: Context
  readonly reporter: Reporter
  readonly interruption: Interruption
  readonly signal: AbortSignal
  /** The arguments as typed, the command's name first: for hints that repeat the command. */
  readonly args: readonly string[]
  /** The command with what decides its result, for model cards: no token, no paths of folders, nothing of how it is shown. */
  readonly command: string
}

/** One positional argument. */
export interface Positional {
  readonly name: string
  readonly description: string
  /** The last one: one or more of it. */
  readonly repeat?: true
}

/** A subcommand: what its help says, which arguments it takes, and what it does with them once they are checked. */
export interface Command {
  readonly name: string
  /** One line for the list of commands. */
  readonly summary: string
  readonly positionals: readonly Positional[]
  /** The command's own options, in the order of its help. */
  readonly options: OptionTable
  readonly examples: readonly string[]
  /** Keeps working when the reader of stdout leaves: its product is a folder. */
  readonly survivesClosedStdout?: true
  run(session: Session, positionals: readonly string[], options: unknown): Promise<void>
}

/** Makes a command whose `run` sees the types of its options. */
export const defineCommand = <O extends OptionTable>(
  command: Omit<Command, 'run' | 'options'> & {
    readonly options: O
    run(session: Session, positionals: readonly string[], options: Values<O> & CommonValues): Promise<void>
  },
): Command => ({
  ...command,
  // The parser filled in exactly the values of `options` and the common ones.
  run: (session, positionals, options) => command.run(session, positionals, options as Values<O> & CommonValues),
})

/** The model argument that every command takes. */
export const modelPositional: Positional = {
  name: 'MODEL',
  description: 'A local folder, or a hub id such as HuggingFaceTB/SmolLM2-135M-Instruct',
}
