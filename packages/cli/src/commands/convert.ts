import { defineCommand } from '../command.ts'
import { convertReference, targetsOf, writeOptions } from '../formats.ts'
import { required, withDefault } from '../options.ts'
import { text } from '../values.ts'

export const convertCommand = defineCommand({
  name: 'convert',
  summary: 'Read a quantized model of another program, and write it as one of this or of a third',
  positionals: [
    {
      name: 'IN',
      description: 'A folder of any format that is read, a GGUF file, or a hub id; docs/formats.md lists them',
    },
  ],
  survivesClosedStdout: true,
  options: {
    output: required('OUT', text, 'The folder to write', 'o'),
    format: withDefault('NAME', text, 'awq', 'The format to write'),
    ...writeOptions,
  },
  examples: [
    'awq convert TheBloke/Mistral-7B-v0.1-AWQ -o mistral-4bit',
    'awq convert model.gguf -o OUT --format autoawq',
  ],
  run: (session, [reference = ''], options) =>
    convertReference(session, reference, targetsOf([options.format], options.output), options),
})
