import { defineCommand, modelPositional } from '../command.ts'
import { inspectionLines } from '../inspect-report.ts'
import { findModel } from '../model.ts'
import { flag } from '../options.ts'

export const inspectCommand = defineCommand({
  name: 'inspect',
  summary: "Show a model's architecture, tensors, bits, sizes and scale groups",
  positionals: [modelPositional],
  options: { all: flag('List every tensor and scale group, not one line per kind') },
  examples: ['awq inspect smollm2-4bit', 'awq inspect ./model --json'],
  async run(session, [reference = ''], options) {
    const { reporter } = session
    const folder = await findModel(session, reference, options)
    const { inspect } = await session.context.libraries.core()
    const result = await inspect(folder)
    reporter.event({ type: 'done', ...result })
    reporter.print(...inspectionLines(reference, result, options.all))
  },
})
