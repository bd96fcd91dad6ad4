/**
 * The calibration tokens of all contestants.
 * @module
 */
import { writeFile } from 'node:fs/promises'
import { openFolder } from '@awq/tensor/node'
import { loadTokenizer, tokenBlocks } from '@awq/text'
import { openText } from '@awq/text/node'

/**
 * Writes the ids that `awq quantize --calibration` takes from a text, as `{"blocks": [[...], ...]}`. The peers read them
 * from there, and each checks that its own tokenizer gives the same ones.
 * @returns how many blocks there are; fewer than `samples` when the text is short
 */
export const writeTokens = async (
  path: string,
  model: string,
  calibration: string,
  size: { readonly samples: number; readonly length: number },
): Promise<number> => {
  const tokenizer = await loadTokenizer(await openFolder(model))
  const { blocks } = await tokenBlocks(await openText(calibration), tokenizer, size)
  await writeFile(path, JSON.stringify({ blocks: blocks.map((block) => [...block]) }))
  return blocks.length
}
