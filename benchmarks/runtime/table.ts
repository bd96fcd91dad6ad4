// The summary of a run as two tables in Markdown: figures, and ratios of this runtime to its peers.
import type { Ratios, Summary } from './summary.ts'

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map((_, i) => (i < 2 ? '---' : '---:')), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')

/** Three digits before or after the point, as far as a timing has them. */
const tokens = (value: number | null | undefined): string =>
  value === null || value === undefined ? '-' : value.toFixed(value < 20 ? 1 : 0)

const ratio = (value: number | null): string => (value === null ? '-' : value.toFixed(2))

/** Tokens per second, load time and memory of every contestant; a star marks rounds on a busy machine. */
export const figuresTable = (summaries: readonly Summary[], prefill: number): string => {
  const contexts = summaries[0]?.decode.map(({ context }) => `decode @${context}`) ?? []
  return table(
    ['runtime', 'weights', ...contexts, `prefill ${prefill}`, 'load, s', 'peak RSS, MiB'],
    summaries.map(({ name, weights, decode, prefill, loadSeconds, peakRssBytes, disturbedRounds }) => [
      name + '*'.repeat(disturbedRounds),
      weights,
      ...decode.map(({ tokensPerSecond }) => tokens(tokensPerSecond?.median)),
      tokens(prefill.median),
      loadSeconds.median.toFixed(2),
      (peakRssBytes.median / 2 ** 20).toFixed(0),
    ]),
  )
}

/** Ours to theirs: above 1, this runtime is faster. */
export const ratiosTable = (ours: Summary, rows: readonly Ratios[], prefill: number): string =>
  table(
    [`${ours.name} to`, 'weights', ...ours.decode.map(({ context }) => `decode @${context}`), `prefill ${prefill}`],
    rows.map((row) => [row.name, row.weights, ...row.decode.map(ratio), ratio(row.prefill)]),
  )
