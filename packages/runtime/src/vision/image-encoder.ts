/**
 * Images, as their processor prepared them, to rows of features.
 * @module
 */
import { type ActivationType, imageRuns, type PatchGrid, type PreparedImage } from '@awq/models'
import type { Session } from '@awq/ort'
import { AwqError } from '@awq/tensor'
import type { OpenedModel } from '../open-model.ts'

/** Rows of features of one image. */
export interface EncodedImage {
  /** float32 `[rows, hidden]` */
  readonly features: Float32Array
  readonly rows: number
  /** Rows and columns, where they form a rectangle in order. */
  readonly grid: PatchGrid | undefined
}

/** Tower and projector, loaded when an image first comes. */
export interface ImageEncoder {
  /**
   * Encodes an image.
   * @throws AwqError UNSUPPORTED for a model that does not see, INVALID_ARGUMENT for pixels that its tower can not be given
   */
  encode(image: PreparedImage, options?: { readonly signal?: AbortSignal | undefined }): Promise<EncodedImage>
  dispose(): Promise<void>
}

/** How an encoder computes. */
export interface ImageEncoderOptions {
  /** Type of activations inside. Default float32. */
  readonly dtype?: ActivationType | undefined
  /** Patches in one run, as `imageRuns` of @awq/models has it. */
  readonly patchesAtOnce?: number | undefined
}

/** The encoder of a model. Nothing is loaded yet. */
export const createImageEncoder = (
  model: Pick<OpenedModel, 'description' | 'openVision'>,
  { dtype = 'float32', patchesAtOnce }: ImageEncoderOptions = {},
): ImageEncoder => {
  /** By the size of tiles: graphs are made for one. */
  const sessions = new Map<string, Promise<Session>>()
  let disposed = false
  const sessionFor = (image: PreparedImage, signal: AbortSignal | undefined): Promise<Session> => {
    const [, , height, width] = image.pixelValues.shape
    const key = `${height} ${width}`
    const tile = height !== undefined && width !== undefined ? ([height, width] as const) : undefined
    const session = sessions.get(key) ?? model.openVision({ dtype, tile, signal })
    sessions.set(key, session)
    // A load that failed or was aborted may be tried again.
    session.catch(() => sessions.delete(key))
    return session
  }
  return {
    async encode(image, { signal } = {}) {
      if (disposed) throw new AwqError('INVALID_ARGUMENT', 'The model has been disposed; load it again.')
      signal?.throwIfAborted()
      const { vision } = model.description
      const runs = vision && imageRuns(vision, image, patchesAtOnce)
      const session = await sessionFor(image, signal)
      const parts: Float32Array[] = []
      for (const feeds of runs!.feeds) {
        const { features } = await session.run(feeds, { signal })
        parts.push(features!.data as Float32Array)
      }
      return { features: runs!.join(parts), rows: runs!.rows, grid: runs!.grid }
    },
    async dispose() {
      disposed = true
      for (const session of sessions.values()) await (await session.catch(() => undefined))?.dispose()
      sessions.clear()
    },
  }
}
