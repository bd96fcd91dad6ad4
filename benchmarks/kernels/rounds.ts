/**
 * Measuring in turns, so that what other programs do to the machine meets all that is compared.
 * @module
 */

/** Something that can be measured again and again; lower is better. */
export interface Subject {
  readonly name: string
  measure(): Promise<number>
}

/** The lowest and the middle of several measurements. */
export interface Summary {
  readonly name: string
  readonly best: number
  readonly median: number
}

/** Lets the threads of an idle session stop spinning before the next one is timed. */
const pause = () => new Promise((resolve) => setTimeout(resolve, 30))

/** Measures every subject once in each round. */
export async function inTurns(subjects: readonly Subject[], rounds: number): Promise<Summary[]> {
  const values = subjects.map((): number[] => [])
  for (let round = 0; round < rounds; round++) {
    for (const [index, subject] of subjects.entries()) {
      await pause()
      values[index]!.push(await subject.measure())
    }
  }
  return subjects.map(({ name }, index) => {
    const sorted = values[index]!.sort((a, b) => a - b)
    return { name, best: sorted[0]!, median: sorted[Math.floor((sorted.length - 1) / 2)]! }
  })
}

/** A Markdown table of rows of cells. */
export const markdown = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')

/** `best / median` with as many decimals as asked for. */
export const pair = ({ best, median }: Omit<Summary, 'name'>, decimals = 0): string =>
  `${best.toFixed(decimals)} / ${median.toFixed(decimals)}`

/** Rates from times: the best time makes the best rate. */
export const rates = ({ name, best, median }: Summary, amount: number): Summary => ({
  name,
  best: amount / best,
  median: amount / median,
})
