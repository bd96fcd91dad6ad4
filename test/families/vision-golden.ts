/** What transformers made of images and prompts, for the checkpoints that see (tools/fixtures/models/make_vision.py). */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { PreparedImage } from '@awq/models'
import { tensor } from '@awq/ort'
import { type FamilyCheckpoint, readyCheckpoints } from './checkpoints.ts'

interface Packed {
  readonly shape: readonly number[]
  readonly data: string
}

/** Values and their shape. */
export interface GoldenArray {
  readonly shape: readonly number[]
  readonly values: Float32Array
}

/** An image as its processor prepared it, and its rows of features. */
export interface GoldenImage {
  readonly image: PreparedImage
  readonly features: GoldenArray
}

/** A prompt. */
export interface GoldenPrompt {
  /** With the image token for each row. */
  readonly ids: readonly number[]
  /** Images by their place in the list of all, in order. */
  readonly images: readonly number[]
  /** The logits after every id. */
  readonly logits: readonly Float32Array[]
  /** The tokens that follow, the likeliest each time. */
  readonly next: readonly number[]
}

/** The goldens of one checkpoint. */
export interface VisionGolden {
  readonly imageToken: number
  readonly images: readonly GoldenImage[]
  readonly sequences: readonly GoldenPrompt[]
}

const unpack = ({ shape, data }: Packed): GoldenArray => {
  const bytes = Buffer.from(data, 'base64')
  return { shape, values: new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength)) }
}

/** Rows of a matrix. */
export const rowsOf = ({ shape, values }: GoldenArray): Float32Array[] =>
  Array.from({ length: shape[0]! }, (_, i) => values.subarray(i * shape[1]!, (i + 1) * shape[1]!))

/** The checkpoints that see. */
export const seeingCheckpoints: readonly FamilyCheckpoint[] = readyCheckpoints.filter(({ path }) =>
  existsSync(join(path, 'vision.json')),
)

/** Reads the goldens of a checkpoint. */
export const visionGolden = ({ path }: Pick<FamilyCheckpoint, 'path'>): VisionGolden => {
  const { imageToken, images, sequences } = JSON.parse(readFileSync(join(path, 'vision.json'), 'utf8'))
  return {
    imageToken,
    images: images.map(
      (one: { pixelValues: Packed; features: Packed; grid?: [number, number]; size?: [number, number] }) => {
        const pixels = unpack(one.pixelValues)
        const { grid, size } = one
        return {
          image: {
            pixelValues: tensor('float32', pixels.shape, pixels.values as Float32Array<ArrayBuffer>),
            ...(grid ? { grid: { rows: grid[0], columns: grid[1] } } : {}),
            ...(size ? { size } : {}),
          },
          features: unpack(one.features),
        }
      },
    ),
    sequences: sequences.map((one: { ids: number[]; images: number[]; logits: Packed; next: number[] }) => ({
      ...one,
      logits: rowsOf(unpack(one.logits)),
    })),
  }
}
