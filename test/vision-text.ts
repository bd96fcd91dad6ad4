/**
 * What the tiny models that see write greedily about images, at exact accuracy: in Node, and the same in a browser.
 */
import type { ImageSource, LanguageModel } from '@awq/runtime'
import type { GreedyText } from './greedy-text.ts'

/** Goldens: what Node writes, by checkpoint. Without the file, `npx vitest run --project node test/vision-text.test.ts` makes it. */
export const goldenFile = 'test/fixtures/vision-text.json'

/** Below packages/image/src/fixtures/images. PNG: decoders of JPEG may differ by a level. */
export const pictures = ['rgb.png', 'palette.png'] as const

/** A question about images. */
export const askAbout = (images: readonly ImageSource[]) => ({
  messages: [
    {
      role: 'user',
      content: [...images.map((image) => ({ type: 'image', image })), { type: 'text', text: 'what is it' }],
    },
  ],
})

/** What a model writes about the first image, about both, and without one. */
export const writeAboutImages = async (
  model: LanguageModel,
  [first, second]: readonly [ImageSource, ImageSource],
): Promise<GreedyText[]> => {
  const written: GreedyText[] = []
  for (const images of [[first], [first, second], []]) {
    const { ids, text } = await model.generate(askAbout(images), { maxNewTokens: 8, ignoreEos: true }).result
    written.push({ ids: [...ids], text })
  }
  return written
}
