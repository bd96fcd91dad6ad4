import { expect, test } from 'vitest'
import { commandText } from './command-text.ts'
import { commands } from './commands/index.ts'
import { flag, optional, repeated } from './options.ts'
import { parseArguments } from './parse.ts'
import { integer, listOf, text } from './values.ts'

const command = {
  name: 'make',
  options: {
    output: optional('OUT', text, ''),
    report: optional('FILE', text, ''),
    calibration: optional('FILE', text, ''),
    groupSize: optional('N', integer(1), ''),
    format: optional('LIST', listOf(text), ''),
    stop: repeated('TEXT', text, ''),
    symmetric: flag(''),
    resume: flag(''),
  },
}
const said = (values: Record<string, unknown>, ...positionals: string[]) => commandText(command, positionals, values)

test('options that are not their defaults, in the order of the help; the output is OUT', () => {
  expect(said({ symmetric: true, groupSize: 32, output: '/home/me/secret' }, 'org/model')).toBe(
    'awq make org/model -o OUT --group-size 32 --symmetric',
  )
  expect(said({ symmetric: false, groupSize: undefined })).toBe('awq make -o OUT')
})

test('lists and options that come several times are as they were typed', () => {
  expect(said({ format: ['gguf', 'gptq'], stop: ['a b', '$x'] })).toBe(
    "awq make -o OUT --format gguf,gptq --stop 'a b' --stop '$x'",
  )
})

test('places from the root are shortened to names, others stay', () => {
  expect(said({ calibration: '/data/private/texts.jsonl' }, '/home/me/models/tiny')).toBe(
    'awq make tiny -o OUT --calibration texts.jsonl',
  )
  expect(said({ calibration: './texts.jsonl' }, 'models/tiny')).toBe(
    'awq make models/tiny -o OUT --calibration ./texts.jsonl',
  )
})

test('nothing of how it was shown or run, nor tokens; the device and the revision decide results', () => {
  const values = { token: 'hf_secret', cacheDir: '/c', json: true, debug: true, threads: 8, resume: true, report: 'r' }
  expect(said(values, 'm')).toBe('awq make m -o OUT')
  expect(said({ device: 'cpu' }, 'm')).toBe('awq make m -o OUT')
  expect(said({ device: 'cuda', revision: 'v2' }, 'm')).toBe('awq make m -o OUT --device cuda --revision v2')
})

test.each([
  ['quantize org/model -o /home/me/out --bits 3 --group-size 64 --symmetric --format gguf,gptq --seed 7'],
  ['export store -o out --format transformersjs,genai --accuracy exact'],
  ['convert org/model/file.gguf -o out --format compressed-tensors --skip-hashes'],
])('what a card says of `awq %s` asks for the same', (line) => {
  const [name = '', ...args] = line.split(' ')
  const { positionals: counted, ...own } = commands.find((one) => one.name === name)!
  const parse = (words: readonly string[]) =>
    parseArguments(
      words,
      own.options,
      counted.map((one) => one.name),
    )
  const given = parse(args)
  const shown = commandText(own, given.positionals, given.options)
  const again = parse(shown.split(' ').slice(2))
  expect(again.positionals).toEqual(given.positionals)
  expect({ ...again.options, skipHashes: null }).toEqual({ ...given.options, output: 'OUT', skipHashes: null })
})
