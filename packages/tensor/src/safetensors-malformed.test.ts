import { describe, expect, test } from 'vitest'
import { type ByteSource, memorySource } from './byte-source.ts'
import { AwqError } from './error.ts'
import { openSafetensors } from './safetensors.ts'
import { maxHeaderBytes, readSafetensorsHeader } from './safetensors-header.ts'
import { maxRank, parseHeaderJson } from './safetensors-json.ts'

/** A file of a length (the header's own by default), a header and `dataBytes` zeros. */
function file(header: string | Uint8Array, dataBytes = 0, length?: bigint): Uint8Array {
  const json = typeof header === 'string' ? new TextEncoder().encode(header) : header
  const bytes = new Uint8Array(8 + json.length + dataBytes)
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(json.length), true)
  bytes.set(json, 8)
  return bytes
}

const tensor = (fields: string) => `{"w":{${fields}}}`
const dtype = '"dtype":"F32"'
const span = (begin: number | string, end: number | string) => `"data_offsets":[${begin},${end}]`
const shaped = (shape: string) => tensor(`${dtype},"shape":${shape},${span(0, 8)}`)
const pair = (first: [number, number], second: [number, number]) =>
  `{"a":{${dtype},"shape":[${(first[1] - first[0]) / 4}],${span(...first)}},` +
  `"b":{${dtype},"shape":[${(second[1] - second[0]) / 4}],${span(...second)}}}`
const good = tensor(`${dtype},"shape":[2],${span(0, 8)}`)

const malformed: [what: string, bytes: Uint8Array, message: RegExp][] = [
  ['an empty file', new Uint8Array(0), /0 bytes are too few/],
  ['fewer bytes than a length', new Uint8Array(7), /7 bytes are too few/],
  ['a length and nothing else', file('').slice(0, 8), /8 bytes are too few/],
  ['length 0', file('{}', 0, 0n), /header length is 0/],
  ['length 1', file('{}', 0, 1n), /header length is 1/],
  ['a length beyond the file', file('{}', 0, 3n), /header length is 3, but only 2 bytes follow/],
  ['a forged length of 2^40', file('{}', 0, 2n ** 40n), /header length is 1099511627776, more than/],
  ['a length of 2^64 - 1', file('{}', 0, 2n ** 64n - 1n), /header length is 18446744073709551615/],
  ['a length just above 100 MB', file('{}', 0, 100_000_001n), /header length is 100000001, more than/],
  ['a header that was cut off', file(good, 8).slice(0, 40), /but only 32 bytes follow/],
  ['a header that is not UTF-8', file(Uint8Array.of(0x7b, 0xff, 0xfe, 0x7d)), /not UTF-8/],
  ['an overlong UTF-8 form', file(Uint8Array.of(0x7b, 0xc0, 0xaf, 0x7d)), /not UTF-8/],
  ['a byte-order mark', file('\ufeff{}'), /does not begin with \{/],
  ['leading white space', file(' {}'), /does not begin with \{/],
  ['text that is not JSON', file('hello'), /does not begin with \{/],
  ['an array', file('[]'), /does not begin with \{/],
  ['a lone string', file('"w"'), /does not begin with \{/],
  ['null', file('null'), /does not begin with \{/],
  ['an object that does not end', file('{"w":'), /tensor "w" is not an object/],
  ['a missing closing brace', file(good.slice(0, -1), 8), /, or \} expected/],
  ['something behind the object', file(`${good}x`, 8), /something behind its closing/],
  ['a second object', file('{}{}'), /something behind its closing/],
  ['a trailing comma', file('{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},}', 8), /a key in quotes expected/],
  ['a key without quotes', file('{w:{}}'), /a key in quotes expected/],
  ['a missing colon', file('{"w" {}}'), /a colon expected after "w"/],
  ['a control character in a name', file('{"w\u0001":{}}'), /control character/],
  ['a bad escape in a name', file('{"w\\q":{}}'), /bad escape/],
  ['a string that does not end', file('{"w'), /string does not end/],
  ['a comment', file('{/**/}'), /a key in quotes expected/],
  [
    'a tensor twice',
    file(`{"w":{${dtype},"shape":[2],${span(0, 8)}},"w":{${dtype},"shape":[2],${span(0, 8)}}}`, 8),
    /"w" appears twice/,
  ],
  [
    'a tensor twice, once by an escape',
    file(`{"w":{${dtype},"shape":[2],${span(0, 8)}},"\\u0077":{}}`, 8),
    /"w" appears twice/,
  ],
  ['__metadata__ twice', file('{"__metadata__":{},"__metadata__":{}}'), /"__metadata__" appears twice/],
  ['a metadata key twice', file('{"__metadata__":{"a":"1","a":"2"}}'), /key "a" twice/],
  ['a dtype twice', file(tensor(`${dtype},${dtype},"shape":[2],${span(0, 8)}`), 8), /field "dtype" twice/],
  ['a shape twice', file(tensor(`${dtype},"shape":[2],"shape":[2],${span(0, 8)}`), 8), /field "shape" twice/],
  ['data_offsets twice', file(tensor(`${dtype},"shape":[2],${span(0, 8)},${span(0, 8)}`), 8), /"data_offsets" twice/],
  ['a tensor that is a number', file('{"w":1}'), /tensor "w" is not an object/],
  ['a tensor that is an array', file('{"w":[]}'), /tensor "w" is not an object/],
  ['a tensor that is null', file('{"w":null}'), /tensor "w" is not an object/],
  ['no dtype', file(tensor(`"shape":[2],${span(0, 8)}`), 8), /"w" has no dtype/],
  ['no shape', file(tensor(`${dtype},${span(0, 8)}`), 8), /"w" has no shape/],
  ['no data_offsets', file(tensor(`${dtype},"shape":[2]`), 8), /"w" has no data_offsets/],
  ['an unknown field', file(tensor(`${dtype},"shape":[2],${span(0, 8)},"strides":[1]`), 8), /unknown field "strides"/],
  ['an unknown dtype', file(tensor(`"dtype":"F99","shape":[2],${span(0, 8)}`), 8), /unknown dtype/],
  ['a dtype in lower case', file(tensor(`"dtype":"f32","shape":[2],${span(0, 8)}`), 8), /unknown dtype/],
  ['a dtype of every object', file(tensor(`"dtype":"constructor","shape":[2],${span(0, 8)}`), 8), /unknown dtype/],
  ['a dtype that is a number', file(tensor(`"dtype":32,"shape":[2],${span(0, 8)}`), 8), /dtype is not a string/],
  ['a negative size', file(shaped('[-2]'), 8), /"-2" is not a non-negative integer/],
  ['a fractional size', file(shaped('[2.5]'), 8), /"2.5" is not/],
  ['a size with an exponent', file(shaped('[2e0]'), 8), /"2e0" is not/],
  ['a size with a leading zero', file(shaped('[02]'), 8), /"02" is not/],
  ['a size in quotes', file(shaped('["2"]'), 8), /is not a non-negative integer/],
  ['a size of null', file(shaped('[null]'), 8), /"null" is not/],
  ['a nested shape', file(shaped('[[2]]'), 8), /is not a non-negative integer/],
  ['a deeply nested shape', file(shaped('['.repeat(200_000)), 8), /is not a non-negative integer/],
  ['deeply nested objects', file('{"w":'.repeat(200_000)), /unknown field "w"/],
  ['a shape that is a number', file(shaped('2'), 8), /shape is not an array/],
  [
    'a shape that does not end',
    file(shaped('[2').slice(0, 32), 8),
    /, or \] expected|not a non-negative|a key in quotes/,
  ],
  ['a size beyond the safe integers', file(shaped('[9007199254740993]'), 8), /is too large/],
  ['a size of a hundred digits', file(shaped(`[${'9'.repeat(100)}]`), 8), /is too large/],
  ['a product beyond the safe integers', file(shaped('[4294967296,4294967296]'), 8), /more elements than any file/],
  ['such a product times zero', file(shaped('[4294967296,4294967296,0]'), 8), /more elements than any file/],
  ['bytes beyond the safe integers', file(shaped('[9007199254740991]'), 8), /larger than any file/],
  ['too many dimensions', file(shaped(`[${'1,'.repeat(maxRank)}2]`), 8), /more than 64 numbers/],
  ['a shape larger than its span', file(shaped('[3]'), 8), /needs 12 bytes, but its span \[0, 8\] has 8/],
  ['a shape smaller than its span', file(shaped('[1]'), 8), /needs 4 bytes/],
  ['one offset', file(tensor(`${dtype},"shape":[2],"data_offsets":[8]`), 8), /1 numbers instead of 2/],
  ['three offsets', file(tensor(`${dtype},"shape":[2],"data_offsets":[0,8,8]`), 8), /more than 2 numbers/],
  ['no offset', file(tensor(`${dtype},"shape":[2],"data_offsets":[]`), 8), /0 numbers instead of 2/],
  ['a negative offset', file(tensor(`${dtype},"shape":[2],${span(-8, 0)}`), 8), /"-8" is not/],
  ['a fractional offset', file(tensor(`${dtype},"shape":[2],${span('0.0', 8)}`), 8), /"0.0" is not/],
  [
    'an offset beyond the safe integers',
    file(tensor(`${dtype},"shape":[2],${span(0, '18446744073709551624')}`), 8),
    /too large/,
  ],
  ['a span that ends before it begins', file(tensor(`${dtype},"shape":[2],${span(8, 0)}`), 8), /ends before it begins/],
  ['a span beyond the file', file(good, 4), /leaves the 4 bytes of data; is the file cut off/],
  ['no data at all', file(good), /leaves the 0 bytes of data/],
  ['overlapping tensors', file(pair([0, 8], [4, 12]), 12), /"b" at \[4, 12\] overlaps/],
  ['two tensors on the same bytes', file(pair([0, 8], [0, 8]), 8), /overlaps/],
  ['a gap between tensors', file(pair([0, 8], [12, 16]), 16), /"b" at \[12, 16\] leaves a gap/],
  ['a gap before the first', file(tensor(`${dtype},"shape":[2],${span(4, 12)}`), 12), /leaves a gap/],
  ['an empty tensor within another', file(pair([0, 8], [4, 4]), 8), /overlaps/],
  ['bytes behind the last tensor', file(good, 9), /have 8 bytes, but 9 bytes follow/],
  ['bytes without a tensor', file('{}', 1), /have 0 bytes, but 1 bytes follow/],
  ['metadata that is a string', file('{"__metadata__":"x"}'), /__metadata__ is not an object/],
  ['metadata with a number', file('{"__metadata__":{"n":1}}'), /__metadata__ "n" is not a string/],
  ['metadata with an object', file('{"__metadata__":{"n":{}}}'), /__metadata__ "n" is not a string/],
  ['metadata with null', file('{"__metadata__":{"n":null}}'), /__metadata__ "n" is not a string/],
  [
    'a tensor named __proto__',
    file(`{"__proto__":{${dtype},"shape":[2],${span(0, 8)}}}`, 8),
    /"__proto__", which is refused/,
  ],
  ['a metadata key __proto__', file('{"__metadata__":{"__proto__":"x"}}'), /"__proto__", which is refused/],
]

describe('a malformed file is refused', () => {
  test('the table has at least 40 cases', () => expect(malformed.length).toBeGreaterThanOrEqual(40))

  test.each(malformed)('%s', async (_, bytes, message) => {
    const error = await openSafetensors(memorySource(bytes, 'bad.safetensors')).catch((reason: unknown) => reason)
    expect(AwqError.is(error) && error.code).toBe('INVALID_FILE')
    expect((error as Error).message).toMatch(message)
    expect((error as Error).message).toMatch(/^bad\.safetensors/)
    expect((error as Error).message.length).toBeLessThan(700)
  })

  test('a dtype that other readers know is UNSUPPORTED', async () => {
    const bytes = file(tensor(`"dtype":"F8_E8M0","shape":[8],${span(0, 8)}`), 8)
    await expect(openSafetensors(memorySource(bytes))).rejects.toMatchObject({ code: 'UNSUPPORTED' })
  })

  test('more tensors than a file may have', () => {
    const entry = `:{${dtype},"shape":[0],${span(0, 0)}}`
    const header = `{"a"${entry},"b"${entry},"c"${entry}}`
    expect(parseHeaderJson(header, 'many', 3).entries.length).toBe(3)
    expect(() => parseHeaderJson(header, 'many', 2)).toThrow('more than 2 tensors')
  })
})

describe('memory', () => {
  /** A source that says it is large and records what is asked of it. */
  function pretender(size: number, length: bigint): ByteSource & { readonly reads: number[] } {
    const reads: number[] = []
    return {
      name: 'huge.safetensors',
      size,
      reads,
      async read(offset, count) {
        reads.push(count)
        return offset === 0 ? file('', 0, length).slice(0, count) : new Uint8Array(count).fill(0x20)
      },
    }
  }

  test('a forged length is refused before anything but the length is read', async () => {
    const source = pretender(2 ** 50, BigInt(maxHeaderBytes) + 1n)
    await expect(readSafetensorsHeader(source)).rejects.toThrow('more than the format')
    expect(source.reads).toEqual([8])
  })

  test('a length beyond the file is refused before anything but the length is read', async () => {
    const source = pretender(1000, 1001n)
    await expect(readSafetensorsHeader(source)).rejects.toThrow('but only 992 bytes follow')
    expect(source.reads).toEqual([8])
  })

  test('a header of 20 MB that promises nothing is refused without an object per byte', async () => {
    const bytes = file(shaped('['.repeat(20_000_000)), 8)
    const before = process.memoryUsage().heapUsed
    await expect(openSafetensors(memorySource(bytes))).rejects.toMatchObject({ code: 'INVALID_FILE' })
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(200 * 2 ** 20)
  })

  test('the source is closed when its header is bad', async () => {
    let closed = 0
    const close = async () => {
      closed++
    }
    await expect(openSafetensors({ ...memorySource(file('[]')), close })).rejects.toThrow()
    expect(closed).toBe(1)
  })
})

describe('unusual but valid files', () => {
  test.each([
    ['no tensor', file('{}'), 0],
    ['trailing spaces', file('{}      '), 0],
    [
      'white space everywhere',
      file('{ "w"\n:\t{ "dtype" : "F32" , "shape" : [ 2 ] , "data_offsets" : [ 0 , 8 ] } }', 8),
      1,
    ],
    ['rank 0', file(tensor(`${dtype},"shape":[],${span(0, 4)}`), 4), 1],
    ['an empty tensor', file(tensor(`${dtype},"shape":[0],${span(0, 0)}`), 0), 1],
    ['empty tensors at every border', file(pair([8, 8], [0, 8]), 8), 2],
    ['an empty tensor at the start', file(pair([0, 0], [0, 8]), 8), 2],
    ['an empty tensor at the start, listed last', file(pair([0, 8], [0, 0]), 8), 2],
    ['tensors listed backwards', file(pair([4, 12], [0, 4]), 12), 2],
    ['an empty name', file(`{"":{${dtype},"shape":[2],${span(0, 8)}}}`, 8), 1],
    ['a name of other languages', file(`{"层.β":{${dtype},"shape":[2],${span(0, 8)}}}`, 8), 1],
    ['an escaped name', file(`{"\\u5c42\\n\\"":{${dtype},"shape":[2],${span(0, 8)}}}`, 8), 1],
    ['a name of every object', file(`{"constructor":{${dtype},"shape":[2],${span(0, 8)}}}`, 8), 1],
    ['metadata', file('{"__metadata__":{"format":"pt","":""}}'), 0],
  ])('%s', async (_, bytes, count) => {
    const checkpoint = await openSafetensors(memorySource(bytes))
    expect(checkpoint.tensors.size).toBe(count)
    await checkpoint.close()
  })
})
