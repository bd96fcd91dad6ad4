/**
 * Quantizes the model of the examples in Node, once for each of several options. Prints the files of the results, in
 * base64.
 * @module
 */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type QuantizeOptions, quantize } from '@awq/core'

const model = join(import.meta.dirname, '../../examples/models/stories260k')
const results: Record<string, string>[] = []
for (const options of JSON.parse(process.argv[2]!) as Partial<QuantizeOptions>[]) {
  const output = await mkdtemp(join(tmpdir(), 'awq-browser-'))
  try {
    await quantize({ ...options, model, output })
    const files: Record<string, string> = {}
    for (const file of await readdir(output)) files[file] = (await readFile(join(output, file))).toString('base64')
    results.push(files)
  } finally {
    await rm(output, { recursive: true, force: true })
  }
}
process.stdout.write(JSON.stringify(results))
