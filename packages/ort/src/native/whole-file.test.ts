import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createEngine } from '../index.ts'
import { shippedLibrary } from './locate-library.ts'

test.skipIf(process.platform !== 'linux')('a library that was downloaded in part is refused', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'awq-library-'))
  try {
    const library = join(folder, 'libonnxruntime.so.1')
    const whole = await readFile(shippedLibrary())
    for (const length of [100_000, whole.length - 1]) {
      await writeFile(library, whole.subarray(0, length))
      await expect(createEngine({ library })).rejects.toThrow(/does not load: the file is not whole/)
    }
  } finally {
    await rm(folder, { recursive: true })
  }
})
