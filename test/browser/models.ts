/**
 * Models in a page.
 * @module
 */
import { openStore, readMatrix } from '@awq/quantize'
import { type Folder, httpSource, memoryFolder } from '@awq/tensor'
import { commands } from 'vitest/browser'

const FILES = ['config.json', 'model.safetensors', 'tokenizer.json', 'generation_config.json', 'tokenizer_config.json']

/** The model of the examples, as a page has it that downloaded it. */
export const stories = async (): Promise<Folder> => {
  const files: Record<string, Uint8Array> = {}
  for (const file of FILES) {
    const source = await httpSource(new URL(`/examples/models/stories260k/${file}`, location.href))
    files[file] = await source.read(0, source.size)
  }
  return memoryFolder(files, 'stories260k')
}

const decoded = (text: string): Uint8Array => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))

/** The model of the examples as Node quantizes it, with each of several options. */
export const quantizedInNode = async (options: readonly object[]): Promise<Folder[]> =>
  (await commands.inNode<Record<string, string>[]>('quantize-script.ts', options)).map((files) =>
    memoryFolder(Object.fromEntries(Object.entries(files).map(([file, text]) => [file, decoded(text)])), 'Node'),
  )

/** Share of the codes of two stores that are the same. */
export const equalCodes = async (one: Folder, other: Folder): Promise<number> => {
  await using first = await openStore(one)
  await using second = await openStore(other)
  let [equal, all] = [0, 0]
  for (const name of first.matrices.keys()) {
    const { codes } = await readMatrix(first, name)
    const expected = (await readMatrix(second, name)).codes
    all += codes.length
    equal += codes.reduce((sum, code, i) => sum + Number(code === expected[i]), 0)
  }
  return equal / all
}
