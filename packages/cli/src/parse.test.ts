import { describe, expect, it } from 'vitest'
import { flag, optional, repeated, required, withDefault } from './options.ts'
import { parseArguments } from './parse.ts'
import { anyText, groupSize, integer, text } from './values.ts'

const table = {
  output: required('OUT', text, 'folder', 'o'),
  groupSize: withDefault('G', groupSize, 128, 'group'),
  maxWindows: optional('N', integer(1), 'windows'),
  prompt: optional('TEXT', anyText, 'prompt'),
  stop: repeated('TEXT', text, 'stop'),
  json: flag('json'),
  help: flag('help', 'h'),
}
const parse = (...args: string[]) => parseArguments(args, table, ['MODEL'])

describe('parseArguments', () => {
  it('fills in defaults and types', () => {
    expect(parse('m', '-o', 'out').options).toEqual({
      output: 'out',
      groupSize: 128,
      maxWindows: undefined,
      prompt: undefined,
      stop: [],
      json: false,
      help: false,
    })
  })
  it('takes every way to write a value', () => {
    expect(parse('m', '--output=out').options.output).toBe('out')
    expect(parse('-oout', 'm').options.output).toBe('out')
    expect(parse('m', '-o', 'out', '--group-size', '-1').options.groupSize).toBe(-1)
    expect(parse('m', '-o', 'out', '--group-size=-1').options.groupSize).toBe(-1)
    expect(parse('m', '-o', 'out', '--prompt', '- a list').options.prompt).toBe('- a list')
    expect(parse('m', '-o', 'out', '--prompt=--json').options).toMatchObject({ prompt: '--json', json: false })
    expect(parse('m', '-o', 'out', '--prompt=').options.prompt).toBe('')
    expect(parse('-o', 'out', '--', '--odd-name').positionals).toEqual(['--odd-name'])
    expect(parse('m', '-o', 'out', '--stop', 'a', '--stop', 'b').options.stop).toEqual(['a', 'b'])
    expect(parse('m', '-o', 'first', '-o', 'last').options.output).toBe('last')
  })
  it.each([
    [['m', '-o', 'out', '--groupsize', '64'], 'unknown option --groupsize; did you mean --group-size?'],
    [['m', '-o', 'out', '--zebra'], 'unknown option --zebra'],
    [['m', '-o', 'out', '-x'], 'unknown option -x'],
    [['m', '-o', 'out', '--no-json'], 'unknown option --no-json'],
    [['m', '-o', 'out', '--json=yes'], '--json takes no value, but got "yes"'],
    [['m', '-o', 'out', '--group-size'], '--group-size needs a value: --group-size G'],
    [['m', '-o', 'out', '--group-size='], '--group-size must be'],
    [['m', '-o', '--json'], '--output needs a value'],
    [['m', '--prompt', '-o', 'out'], '--prompt needs a value'],
    [['m', '--prompt', '--output=x'], '--prompt needs a value'],
    [['m'], '--output is missing: add -o OUT'],
    [['-o', 'out'], 'MODEL is missing'],
    [['', '-o', 'out'], 'MODEL is empty'],
    [['a', 'b', '-o', 'out'], 'unexpected argument "b"'],
    [['m', '-o', 'out', '--max-windows', '4x'], '--max-windows must be a positive whole number, not "4x"'],
    [['m', '-o', 'out', '--__proto__', '1'], 'unknown option --__proto__'],
    [['m', '-o', 'out', '--constructor'], 'unknown option --constructor'],
  ])('%j is refused', (args, message) => {
    expect(() => parse(...args)).toThrow(message)
  })
  it('asks for nothing else with --help', () => {
    expect(parse('--help').options.help).toBe(true)
    expect(parse('-h').options.help).toBe(true)
  })
})
