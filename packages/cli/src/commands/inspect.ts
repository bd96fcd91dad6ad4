import { AwqError } from '@awq/tensor'
import { defineCommand, modelPositional } from '../command.ts'
import { inspectionLines } from '../inspect-report.ts'
import { findAnyModel } from '../model.ts'
import { flag } from '../options.ts'
import type { ProgressEvent } from '../progress.ts'

export const inspectCommand = defineCommand({
  name: 'inspect',
  summary: "Show a model's architecture, tensors, bits, sizes; check its files",
  positionals: [modelPositional],
  options: {
    all: flag('List every tensor and scale group, not one line per kind'),
    skipHashes: flag('Do not read the files to compare them with the hashes that were written down'),
  },
  examples: ['awq inspect smollm2-4bit', 'awq inspect ./model --json'],
  async run(session, [reference = ''], options) {
    const { reporter, signal } = session
    const folder = await findAnyModel(session, reference, options)
    const { inspect } = await session.context.libraries.core()
    const onProgress = (event: ProgressEvent) => reporter.progress(event)
    const result = await inspect(folder, { verify: !options.skipHashes, signal, onProgress })
    reporter.event({ type: 'done', ...result })
    reporter.print(...inspectionLines(reference, result, options.all))
    const damaged = result.files?.damaged ?? []
    if (damaged.length === 0) return
    const { damageText } = await session.context.libraries.formats()
    throw new AwqError('INVALID_FILE', damageText(folder, damaged))
  },
})
