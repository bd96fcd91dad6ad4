/**
 * What small models write greedily at exact accuracy: in Node, and the same in a browser.
 */
import type { LanguageModel } from '@awq/runtime'

/** Prompts by the model's folder, from the root of the repository. */
export interface GreedyCase {
  readonly folder: string
  readonly prompt: string | readonly number[]
  readonly tokens: number
}

/** What a model wrote. */
export interface GreedyText {
  readonly ids: readonly number[]
  readonly text: string
}

/** Goldens: what Node writes, by folder. Without the file, `npx vitest run --project node test/greedy-text.test.ts` makes it. */
export const goldenFile = 'test/fixtures/greedy-text.json'

export const writeGreedily = async (model: LanguageModel, { prompt, tokens }: GreedyCase): Promise<GreedyText> => {
  const input = typeof prompt === 'string' ? { prompt } : { ids: prompt }
  const { ids, text } = await model.generate(input, { maxNewTokens: tokens, ignoreEos: true }).result
  return { ids: [...ids], text }
}

const story = { folder: 'examples/models/stories260k', prompt: 'Once upon a time', tokens: 60 } as const

/** The model that tells stories, and one tiny model with random weights of every family. */
export const greedyCases = (families: readonly string[]): GreedyCase[] => [
  story,
  ...families.map((name) => ({ folder: `test/fixtures/models/${name}`, prompt: [3, 14, 15, 9, 26, 5], tokens: 8 })),
]
