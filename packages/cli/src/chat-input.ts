import { createInterface } from 'node:readline'
import type { Context } from './context.ts'

/** The lines a person types, or that come through a pipe. */
export interface ChatInput {
  /** The next line, after showing the prompt on a terminal; null at the end of the input. */
  next(): Promise<string | null>
  /** Throws away what stands in the line and shows the prompt again. */
  again(): void
  close(): void
}

/**
 * Reads lines of stdin. On a terminal with editing and history; the prompt goes to stderr, so that stdout holds
 * answers only. Lines that arrive while an answer is being written wait their turn. `onInterrupt` is called for
 * Ctrl-C, which a terminal in raw mode gives to the reader of lines instead of sending a signal.
 */
export const createChatInput = ({ stdin, stderr }: Context, prompt: string, onInterrupt: () => void): ChatInput => {
  const terminal = stdin.isTTY === true && stderr.isTTY === true
  const lines = createInterface({ input: stdin, terminal, prompt, ...(terminal ? { output: stderr } : {}) })
  const waiting: string[] = []
  let ended = false
  let wake: (() => void) | undefined
  lines.on('line', (line) => {
    waiting.push(line)
    wake?.()
  })
  lines.on('close', () => {
    ended = true
    wake?.()
  })
  lines.on('SIGINT', onInterrupt)
  return {
    next: async () => {
      if (terminal && waiting.length === 0 && !ended) lines.prompt()
      while (waiting.length === 0 && !ended) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
      return waiting.shift() ?? null
    },
    again: () => {
      if (!terminal || ended) return
      lines.write(null, { ctrl: true, name: 'e' })
      lines.write(null, { ctrl: true, name: 'u' })
      lines.prompt()
    },
    close: () => lines.close(),
  }
}
