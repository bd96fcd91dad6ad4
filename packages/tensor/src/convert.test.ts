import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fromFloat32, swapToNative, toFloat32 } from './convert.ts'
import type { DType } from './dtype.ts'
import { float16BitsToFloat32, float32ToFloat16Bits, roundHalfEven } from './minifloat.ts'

/** The engine's own binary16 is an independent implementation; Node 24 has it, Node 20 has not. */
const native = 'getFloat16' in DataView.prototype
const view = new DataView(new ArrayBuffer(8))

const allCodes16 = Uint16Array.from({ length: 65536 }, (_, code) => code)
const allBytes16 = new Uint8Array(allCodes16.buffer)
const allBytes8 = Uint8Array.from({ length: 256 }, (_, code) => code)

const bitsOf = (values: Float32Array) => new Uint32Array(values.buffer, values.byteOffset, values.length)

/** The value of a code by the definition of the format: sign, exponent, mantissa. */
function valueByDefinition(code: number, exponentBits: number, mantissaBits: number): number {
  const sign = code >> (exponentBits + mantissaBits) ? -1 : 1
  const exponent = (code >> mantissaBits) & (2 ** exponentBits - 1)
  const mantissa = code & (2 ** mantissaBits - 1)
  const bias = 2 ** (exponentBits - 1) - 1
  if (exponent === 0) return sign * mantissa * 2 ** (1 - bias - mantissaBits)
  return sign * (1 + mantissa / 2 ** mantissaBits) * 2 ** (exponent - bias)
}

describe('every code', () => {
  test('of F16 has the value of its definition', () => {
    const values = toFloat32(allBytes16, 'F16')
    for (let code = 0; code < 65536; code++) {
      const exponent = (code >> 10) & 31
      const mantissa = code & 1023
      const special = mantissa === 0 ? (code >> 15 ? -Infinity : Infinity) : NaN
      const expected = exponent === 31 ? special : valueByDefinition(code, 5, 10)
      if (!Object.is(values[code], expected)) expect(values[code], `code ${code}`).toBe(expected)
    }
  })

  test.runIf(native)('of F16 has the value the engine gives it', () => {
    const values = toFloat32(allBytes16, 'F16')
    for (let code = 0; code < 65536; code++) {
      view.setUint16(0, code, true)
      if (!Object.is(values[code], view.getFloat16(0, true))) expect(values[code], `code ${code}`).toBe('native')
      if (!Object.is(values[code], float16BitsToFloat32(code))) expect(values[code], `code ${code}`).toBe('scalar')
    }
  })

  test('of BF16 is the upper half of a float32', () => {
    const bits = bitsOf(toFloat32(allBytes16, 'BF16'))
    for (let code = 0; code < 65536; code++) {
      if (bits[code] !== code * 65536) expect(bits[code], `code ${code}`).toBe(code * 65536)
    }
  })

  test('of F8_E4M3 has the value of the OCP table: no infinity, NaN only at 7f and ff', () => {
    const expected = [...allBytes8].map((code) => ((code & 127) === 127 ? NaN : valueByDefinition(code, 4, 3)))
    expect([...toFloat32(allBytes8, 'F8_E4M3')]).toEqual(expected)
    expect(toFloat32(Uint8Array.of(0x7e, 0x01, 0x08), 'F8_E4M3')).toEqual(Float32Array.of(448, 2 ** -9, 2 ** -6))
  })

  test('of F8_E5M2 is the upper half of a float16', () => {
    const expected = [...allBytes8].map((code) => float16BitsToFloat32(code << 8))
    expect([...toFloat32(allBytes8, 'F8_E5M2')]).toEqual(expected)
  })

  test.each<[DType, Uint8Array]>([
    ['F16', allBytes16],
    ['BF16', allBytes16],
    ['F8_E4M3', allBytes8],
  ])('of %s survives the way to float32 and back; a NaN stays one', (dtype, codes) => {
    const floats = toFloat32(codes, dtype)
    const again = fromFloat32(floats, dtype)
    const width = codes.length / floats.length
    for (let i = 0; i < floats.length; i++) {
      if (Number.isNaN(floats[i])) expect(toFloat32(again.slice(i * width, (i + 1) * width), dtype)[0]).toBeNaN()
      else if (!sameBytes(again, codes, i * width, width))
        expect(again[i * width], `element ${i}`).toBe(codes[i * width])
    }
  })
})

function sameBytes(a: Uint8Array, b: Uint8Array, start: number, width: number): boolean {
  for (let i = start; i < start + width; i++) if (a[i] !== b[i]) return false
  return true
}

/**
 * Rounding by its definition: every float32 between two neighbours goes to the nearer, a tie to the even code. `values`
 * are the finite non-negative codes in ascending order; the code is the index.
 */
function nearestCode(x: number, values: Float32Array): number {
  let low = 0
  let high = values.length - 1
  if (x >= values[high]!) return high
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if (values[middle]! <= x) low = middle
    else high = middle
  }
  const below = x - values[low]!
  const above = values[high]! - x
  if (below === above) return low % 2 === 0 ? low : high
  return below < above ? low : high
}

describe('rounding to a narrow format', () => {
  const formats: [DType, number][] = [
    ['F16', 0x7bff],
    ['BF16', 0x7f7f],
    ['F8_E4M3', 0x7e],
    ['F8_E5M2', 0x7b],
  ]

  test.each(formats)(
    '%s: midpoints, their float32 neighbours and every value go where the definition says',
    (dtype, top) => {
      const wide = dtype === 'F16' || dtype === 'BF16'
      const codes = wide ? new Uint8Array(allCodes16.slice(0, top + 1).buffer) : allBytes8.slice(0, top + 1)
      const values = toFloat32(codes, dtype)
      const inputs = new Float32Array(3 * top)
      for (let i = 0; i < top; i++) inputs[3 * i + 1] = (values[i]! + values[i + 1]!) / 2
      const bits = bitsOf(inputs)
      for (let i = 0; i < top; i++) {
        bits[3 * i] = bits[3 * i + 1]! - 1
        bits[3 * i + 2] = bits[3 * i + 1]! + 1
      }
      const result = fromFloat32(inputs, dtype)
      const negated = fromFloat32(
        inputs.map((x) => -x),
        dtype,
      )
      const got = wide ? new Uint16Array(result.buffer) : result
      const gotNegated = wide ? new Uint16Array(negated.buffer) : negated
      const sign = wide ? 0x8000 : 0x80
      for (let i = 0; i < inputs.length; i++) {
        const expected = nearestCode(inputs[i]!, values)
        if (got[i] !== expected) expect(got[i], `${dtype} of ${inputs[i]}`).toBe(expected)
        if (gotNegated[i] !== (expected | sign))
          expect(gotNegated[i], `${dtype} of -${inputs[i]}`).toBe(expected | sign)
      }
    },
  )

  test.runIf(native)('F16 equals the engine for a million floats of all magnitudes', () => {
    let state = 1
    const bits = new Uint32Array(1_000_000)
    for (let i = 0; i < bits.length; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      bits[i] = i % 2 ? state : 0x33000000 + (state % 0x15000000)
    }
    const values = new Float32Array(bits.buffer)
    const codes = new Uint16Array(fromFloat32(values, 'F16').buffer)
    for (let i = 0; i < values.length; i++) {
      if (Number.isNaN(values[i])) continue
      view.setFloat16(0, values[i]!, true)
      if (codes[i] !== view.getUint16(0, true)) expect(codes[i], `${values[i]}`).toBe(view.getUint16(0, true))
    }
  })

  test('overflow: F16 and BF16 give infinity, F8 saturates', () => {
    const large = Float32Array.of(65519.99, 65520, 3.4e38, Infinity, -Infinity, NaN)
    expect([...toFloat32(fromFloat32(large, 'F16'), 'F16')]).toEqual([
      65504,
      Infinity,
      Infinity,
      Infinity,
      -Infinity,
      NaN,
    ])
    expect([...toFloat32(fromFloat32(large, 'BF16'), 'BF16')].slice(2)).toEqual([Infinity, Infinity, -Infinity, NaN])
    expect([...toFloat32(fromFloat32(large, 'F8_E4M3'), 'F8_E4M3')]).toEqual([448, 448, 448, 448, -448, NaN])
    expect([...toFloat32(fromFloat32(large, 'F8_E5M2'), 'F8_E5M2')]).toEqual([57344, 57344, 57344, 57344, -57344, NaN])
  })

  test('single values round as arrays do', () => {
    expect(float32ToFloat16Bits(1)).toBe(0x3c00)
    expect(float32ToFloat16Bits(-0)).toBe(0x8000)
    expect(float32ToFloat16Bits(2 ** -25)).toBe(0)
    expect(float32ToFloat16Bits(2 ** -25 * 1.001)).toBe(1)
    expect(float32ToFloat16Bits(2 ** -14 - 2 ** -26)).toBe(0x400)
  })
})

describe('integers', () => {
  test('64-bit integers round once to float32', () => {
    // Rounded to 53 bits first, the last one would become a tie and go down.
    const values = BigInt64Array.of(2n ** 24n + 1n, 2n ** 24n + 3n, -(2n ** 63n), 2n ** 60n + 2n ** 36n + 1n)
    const expected = [2 ** 24, 2 ** 24 + 4, -(2 ** 63), 2 ** 60 + 2 ** 37]
    expect([...toFloat32(new Uint8Array(values.buffer), 'I64')]).toEqual(expected)
    const top = BigUint64Array.of(2n ** 64n - 1n)
    expect([...toFloat32(new Uint8Array(top.buffer), 'U64')]).toEqual([2 ** 64])
  })

  test.each<[DType, number[]]>([
    ['I8', [0, 2, 2, -2, 127, -128, 0]],
    ['U8', [0, 2, 2, 0, 255, 0, 0]],
    ['I16', [0, 2, 2, -2, 32767, -32768, 0]],
    ['U16', [0, 2, 2, 0, 65535, 0, 0]],
    ['I32', [0, 2, 2, -2, 2 ** 31, -(2 ** 31), 0]],
    ['U32', [0, 2, 2, 0, 2 ** 32, 0, 0]],
    ['I64', [0, 2, 2, -2, 2 ** 63, -(2 ** 63), 0]],
    ['U64', [0, 2, 2, 0, 2 ** 64, 0, 0]],
    ['BOOL', [1, 1, 1, 1, 1, 1, 1]],
  ])('%s rounds half to even and saturates; NaN is 0', (dtype, expected) => {
    const values = Float32Array.of(0.5, 1.5, 2.5, -2.5, Infinity, -Infinity, NaN)
    expect([...toFloat32(fromFloat32(values, dtype), dtype)]).toEqual(expected)
  })

  test('BOOL takes any byte but 0 as true', () => {
    expect([...toFloat32(Uint8Array.of(0, 1, 2, 255), 'BOOL')]).toEqual([0, 1, 1, 1])
  })
})

describe('bytes', () => {
  test.each<DType>(['F64', 'F32', 'F16', 'BF16', 'I64', 'I32', 'I16', 'U64', 'U32', 'U16'])(
    '%s is read at any offset, and into an array of its own',
    (dtype) => {
      const values = Float32Array.of(1, 2, 3, 100)
      const bytes = fromFloat32(values, dtype)
      for (let shift = 0; shift < 8; shift++) {
        const moved = new Uint8Array(bytes.length + 8)
        moved.set(bytes, shift)
        const result = toFloat32(moved.subarray(shift, shift + bytes.length), dtype)
        expect(result).toEqual(values)
        moved.fill(0)
        expect(result).toEqual(values)
      }
    },
  )

  test('F32 keeps every bit, NaN payloads too', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 0, maxLength: 64 }), (bytes) => {
        const whole = bytes.slice(0, bytes.length - (bytes.length % 4))
        expect(fromFloat32(toFloat32(whole, 'F32'), 'F32')).toEqual(whole)
      }),
    )
  })

  test('a broken number of bytes is refused', () => {
    expect(() => toFloat32(new Uint8Array(7), 'F16')).toThrow('7 bytes are not a whole number of F16 elements')
  })

  test('on a big-endian machine the bytes of each element are turned round', () => {
    expect(swapToNative(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), 4, false)).toEqual(Uint8Array.of(4, 3, 2, 1, 8, 7, 6, 5))
    expect(swapToNative(Uint8Array.of(1, 2), 1, false)).toEqual(Uint8Array.of(1, 2))
    expect(swapToNative(Uint8Array.of(1, 2), 2, true)).toEqual(Uint8Array.of(1, 2))
  })
})

test('roundHalfEven goes to the nearest integer, ties to even', () => {
  const cases = [0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.49999999999999994, 2 ** 52 - 0.5, 2 ** 53 + 2, Infinity]
  expect(cases.map(roundHalfEven)).toEqual([0, 2, 2, 0, -2, -2, 0, 2 ** 52, 2 ** 53 + 2, Infinity])
  expect(roundHalfEven(NaN)).toBeNaN()
  fc.assert(
    fc.property(fc.double({ min: -1e9, max: 1e9, noNaN: true }), (x) => {
      const rounded = roundHalfEven(x)
      expect(Number.isInteger(rounded)).toBe(true)
      expect(Math.abs(rounded - x)).toBeLessThanOrEqual(0.5)
      if (Math.abs(rounded - x) === 0.5) expect(Math.abs(rounded % 2)).toBe(0)
    }),
  )
})
