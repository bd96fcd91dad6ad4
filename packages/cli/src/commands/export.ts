import { defineCommand, modelPositional } from '../command.ts'
import { convertReference, targetsOf, writeOptions } from '../formats.ts'
import { required } from '../options.ts'
import { listOf, text } from '../values.ts'

export const exportCommand = defineCommand({
  name: 'export',
  summary: 'Write a quantized model as other programs read it',
  positionals: [modelPositional],
  survivesClosedStdout: true,
  options: {
    format: required('NAME[,NAME]', listOf(text), 'The formats to write; docs/formats.md lists them'),
    output: required('OUT', text, 'The folder to write; with several formats a folder of each name in it', 'o'),
    ...writeOptions,
  },
  examples: [
    'awq export smollm2-4bit --format autoawq -o smollm2-awq',
    'awq export smollm2-4bit --format gguf,transformersjs,genai -o exports',
  ],
  run: (session, [reference = ''], options) =>
    convertReference(session, reference, targetsOf(options.format, options.output), options),
})
