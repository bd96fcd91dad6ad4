/**
 * The element types of GGUF files: how long their blocks are, and what they stand for.
 * @module
 */
import type { DType } from '@awq/tensor'
import {
  type DecodeBlock,
  decodeIQ4NL,
  decodeIQ4XS,
  decodeQ2K,
  decodeQ3K,
  decodeQ4K,
  decodeQ5K,
  decodeQ6K,
  decodeQ8K,
  half,
  SUPER_BLOCK,
} from './k-quants.ts'

/** An element type: either one of ours, or blocks that `decode` reads. */
export interface GgufType {
  /** As ggml calls it. */
  readonly name: string
  readonly id: number
  /** Elements of a block, which lie in one row. */
  readonly block: number
  readonly bytes: number
  /** The same type in safetensors. */
  readonly dtype?: DType
  /** Of blocks of integers; absent where no block of this type can be read here. */
  readonly decode?: DecodeBlock
}

/** Elements of the blocks whose integers can be moved. */
export const BLOCK = 32

/** Two codes in a byte: the first sixteen elements in the low halves. */
const nibble = (bytes: Uint8Array, at: number, i: number): number => (bytes[at + (i & 15)]! >> ((i >> 4) * 4)) & 15

/** The fifth bits of 32 codes are the bits of four bytes. */
const fifth = (bytes: Uint8Array, at: number, i: number): number => ((bytes[at + (i >> 3)]! >> (i & 7)) & 1) << 4

const decodeQ40: DecodeBlock = (bytes, at, into, to) => {
  const d = half(bytes, at)
  for (let i = 0; i < BLOCK; i++) into[to + i] = d * (nibble(bytes, at + 2, i) - 8)
}

const decodeQ41: DecodeBlock = (bytes, at, into, to) => {
  const [d, minimum] = [half(bytes, at), half(bytes, at + 2)]
  for (let i = 0; i < BLOCK; i++) into[to + i] = d * nibble(bytes, at + 4, i) + minimum
}

const decodeQ50: DecodeBlock = (bytes, at, into, to) => {
  const d = half(bytes, at)
  for (let i = 0; i < BLOCK; i++) into[to + i] = d * ((nibble(bytes, at + 6, i) | fifth(bytes, at + 2, i)) - 16)
}

const decodeQ51: DecodeBlock = (bytes, at, into, to) => {
  const [d, minimum] = [half(bytes, at), half(bytes, at + 2)]
  for (let i = 0; i < BLOCK; i++) into[to + i] = d * (nibble(bytes, at + 8, i) | fifth(bytes, at + 4, i)) + minimum
}

const decodeQ80: DecodeBlock = (bytes, at, into, to) => {
  const d = half(bytes, at)
  for (let i = 0; i < BLOCK; i++) into[to + i] = d * ((bytes[at + 2 + i]! << 24) >> 24)
}

const plain = (id: number, name: string, dtype: DType, bytes: number): GgufType => ({
  id,
  name,
  block: 1,
  bytes,
  dtype,
})

/** Q4_0: scale d, codes; w = d (code - 8). Q4_1: d, minimum m, codes; w = d code + m. Q8_0: d, int8 codes; w = d code. */
export const ggufTypes: readonly GgufType[] = [
  plain(0, 'F32', 'F32', 4),
  plain(1, 'F16', 'F16', 2),
  { id: 2, name: 'Q4_0', block: BLOCK, bytes: 18, decode: decodeQ40 },
  { id: 3, name: 'Q4_1', block: BLOCK, bytes: 20, decode: decodeQ41 },
  { id: 6, name: 'Q5_0', block: BLOCK, bytes: 22, decode: decodeQ50 },
  { id: 7, name: 'Q5_1', block: BLOCK, bytes: 24, decode: decodeQ51 },
  { id: 8, name: 'Q8_0', block: BLOCK, bytes: 34, decode: decodeQ80 },
  { id: 9, name: 'Q8_1', block: BLOCK, bytes: 36 },
  { id: 10, name: 'Q2_K', block: SUPER_BLOCK, bytes: 84, decode: decodeQ2K },
  { id: 11, name: 'Q3_K', block: SUPER_BLOCK, bytes: 110, decode: decodeQ3K },
  { id: 12, name: 'Q4_K', block: SUPER_BLOCK, bytes: 144, decode: decodeQ4K },
  { id: 13, name: 'Q5_K', block: SUPER_BLOCK, bytes: 176, decode: decodeQ5K },
  { id: 14, name: 'Q6_K', block: SUPER_BLOCK, bytes: 210, decode: decodeQ6K },
  { id: 15, name: 'Q8_K', block: SUPER_BLOCK, bytes: 292, decode: decodeQ8K },
  { id: 16, name: 'IQ2_XXS', block: SUPER_BLOCK, bytes: 66 },
  { id: 17, name: 'IQ2_XS', block: SUPER_BLOCK, bytes: 74 },
  { id: 18, name: 'IQ3_XXS', block: SUPER_BLOCK, bytes: 98 },
  { id: 19, name: 'IQ1_S', block: SUPER_BLOCK, bytes: 50 },
  { id: 20, name: 'IQ4_NL', block: BLOCK, bytes: 18, decode: decodeIQ4NL },
  { id: 21, name: 'IQ3_S', block: SUPER_BLOCK, bytes: 110 },
  { id: 22, name: 'IQ2_S', block: SUPER_BLOCK, bytes: 82 },
  { id: 23, name: 'IQ4_XS', block: SUPER_BLOCK, bytes: 136, decode: decodeIQ4XS },
  plain(24, 'I8', 'I8', 1),
  plain(25, 'I16', 'I16', 2),
  plain(26, 'I32', 'I32', 4),
  plain(27, 'I64', 'I64', 8),
  plain(28, 'F64', 'F64', 8),
  { id: 29, name: 'IQ1_M', block: SUPER_BLOCK, bytes: 56 },
  plain(30, 'BF16', 'BF16', 2),
  { id: 34, name: 'TQ1_0', block: SUPER_BLOCK, bytes: 54 },
  { id: 35, name: 'TQ2_0', block: SUPER_BLOCK, bytes: 66 },
  { id: 39, name: 'MXFP4', block: BLOCK, bytes: 17 },
]

/** By their number in files. */
export const ggufTypeById: ReadonlyMap<number, GgufType> = new Map(ggufTypes.map((type) => [type.id, type]))

/** By name: `Q4_0`. */
export const ggufType = (name: string): GgufType => ggufTypes.find((type) => type.name === name)!
