import type { Context } from './context.ts'
import { toJsonLine } from './json.ts'
import { createProgressView, jsonThrottle, type ProgressEvent } from './progress.ts'

/** Where a command's words go: JSON events or human text, never both on stdout. */
export interface Reporter {
  readonly json: boolean
  /** One NDJSON event; nothing in human mode. */
  event(event: { readonly type: string } & Readonly<Record<string, unknown>>): void
  /** Raw text on stdout in JSON mode: an event too large for one string. Resolves when it is written. */
  raw(text: string): Promise<void>
  /** Lines on stdout; nothing in JSON mode. */
  print(...lines: readonly string[]): void
  /** Text on stdout without a line break; nothing in JSON mode. */
  write(text: string): void
  /** A line on stderr; nothing in JSON mode. */
  note(line: string): void
  /** A line on stderr in both modes. */
  complain(line: string): void
  /** Progress: events in JSON mode (thinned out), else drawn on stderr. */
  progress(event: ProgressEvent): void
  /** Wipes a bar that is being drawn. */
  clear(): void
}

/** A reporter on the context's streams. */
export const createReporter = (context: Pick<Context, 'stdout' | 'stderr' | 'now'>, json: boolean): Reporter => {
  const view = createProgressView(context.stderr, context.now)
  const passes = jsonThrottle(context.now)
  const out = (text: string): void => {
    view.clear()
    context.stdout.write(text)
  }
  return {
    json,
    event: (event) => {
      if (json) out(`${toJsonLine(event)}\n`)
    },
    raw: async (text) => {
      if (json) await new Promise<void>((resolve) => context.stdout.write(text, () => resolve()))
    },
    print: (...lines) => {
      if (!json) out(lines.map((line) => `${line}\n`).join(''))
    },
    write: (text) => {
      if (!json) out(text)
    },
    note: (line) => {
      if (json) return
      view.clear()
      context.stderr.write(`${line}\n`)
    },
    complain: (line) => {
      view.clear()
      context.stderr.write(`${line}\n`)
    },
    progress: (event) => {
      if (!json) view.show(event)
      else if (passes(event)) out(`${toJsonLine(event)}\n`)
    },
    clear: () => view.clear(),
  }
}
