/**
 * Quantized models in a page.
 * @module
 */
import { openStore, readMatrix } from '@awq/quantize'
import { type Folder, memoryFolder } from '@awq/tensor'
import { sha256 } from '@awq/tensor/browser'
import { commands } from 'vitest/browser'

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

/** SHA-256 of every file of a folder, by name. */
export const hashes = async (folder: Folder): Promise<Record<string, string>> => {
  const found: Record<string, string> = {}
  for (const file of await folder.list()) {
    const source = await folder.open(file)
    found[file] = await sha256(await source.read(0, source.size))
  }
  return found
}
