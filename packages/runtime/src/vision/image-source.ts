/**
 * Images as callers give them: bytes, pixels, what a page can draw, data URLs, and names that a reader makes images of.
 * @module
 */
import {
  type Drawable,
  dataUrlBytes,
  decodeImage,
  type GivenPixels,
  isDataUrl,
  pixelsOf,
  type RgbImage,
} from '@awq/image'
import { AwqError, quoted } from '@awq/tensor'

/**
 * An image: the bytes of a file, pixels (`{ width, height, data }`, as ImageData is), what a page can draw (an ImageBitmap, a canvas), a
 * data URL, an address that `fetchImage` of `LoadOptions` fetches, or a name that `readImage` knows.
 */
export type ImageSource = string | URL | Uint8Array | ArrayBuffer | Blob | GivenPixels | Drawable

/** Makes an image of a name: of its path, or of its address. */
export type ImageReader = (name: string, options: { readonly signal?: AbortSignal | undefined }) => Promise<RgbImage>

/** What names are read with; those without a reader are refused. */
export interface ImageReaders {
  /** Reads files. */
  readonly readImage?: ImageReader | undefined
  /** Fetches addresses: `https:`, `http:`, `blob:`. */
  readonly fetchImage?: ImageReader | undefined
}

/** How one image is read. */
export interface ImagePixelsOptions extends ImageReaders {
  /** What messages call it, where it has no name of its own. */
  readonly name?: string | undefined
  readonly signal?: AbortSignal | undefined
}

const isAddress = (text: string): boolean => /^(https?|blob):/i.test(text)

const pixelsByName = async (text: string, options: ImagePixelsOptions): Promise<RgbImage> => {
  const { name, readImage, fetchImage, signal } = options
  if (isDataUrl(text)) return decodeImage(dataUrlBytes(text), { ...(name ? { name } : {}), signal })
  if (isAddress(text)) {
    if (fetchImage) return fetchImage(text, { signal })
    throw new AwqError('UNSUPPORTED', `${quoted(text)}: images are not fetched from the network; give their bytes`)
  }
  if (readImage) return readImage(text, { signal })
  throw new AwqError(
    'UNSUPPORTED',
    `${quoted(text)}: an image is given by its bytes or a data URL (files are read where the part says so: { type: 'image', path })`,
  )
}

/**
 * The pixels of an image.
 * @throws AwqError as `decodeImage`; INVALID_ARGUMENT for what is no image, UNSUPPORTED for a name or an address without a reader
 */
export const imagePixels = async (source: ImageSource, options: ImagePixelsOptions = {}): Promise<RgbImage> => {
  const { signal, name = 'the image' } = options
  signal?.throwIfAborted()
  if (typeof source === 'string') return pixelsByName(source, options)
  if (source instanceof URL) return pixelsByName(source.href, options)
  if (source instanceof Uint8Array) return decodeImage(source, { name, signal })
  if (source instanceof ArrayBuffer) return decodeImage(new Uint8Array(source), { name, signal })
  if (typeof source === 'object' && source !== null) {
    if (source instanceof Blob)
      return decodeImage(new Uint8Array(await source.arrayBuffer()), { name: fileName(source) ?? name, signal })
    if ('width' in source && 'height' in source) return pixelsOf(source, { name })
  }
  throw new AwqError(
    'INVALID_ARGUMENT',
    `${name} must be the bytes of a file, a Blob, pixels { width, height, data }, what a page can draw, or a data URL`,
  )
}

/** What a File is called. */
const fileName = (blob: Blob): string | undefined =>
  'name' in blob && typeof blob.name === 'string' && blob.name !== '' ? blob.name : undefined
