/**
 * Images as callers give them: bytes, pixels, data URLs, or what a reader of files makes of a name.
 * @module
 */
import { dataUrlBytes, decodeImage, isDataUrl, type RgbImage } from '@awq/image'
import { AwqError, quoted } from '@awq/tensor'

/** An image: the bytes of a file, pixels, a data URL, or a name that `readImage` of `LoadOptions` knows. */
export type ImageSource = string | Uint8Array | ArrayBuffer | Blob | RgbImage

/** Reads an image by its name: its path, for example. */
export type ImageReader = (name: string, options: { readonly signal?: AbortSignal | undefined }) => Promise<RgbImage>

const isPixels = (source: object): source is RgbImage => 'width' in source && 'height' in source && 'data' in source

/**
 * The pixels of an image.
 * @param read for names; without it they are refused, as are addresses of the network in any case
 * @throws AwqError as `decodeImage`; INVALID_ARGUMENT for what is no image, UNSUPPORTED for an address
 */
export const imagePixels = async (
  source: ImageSource,
  read: ImageReader | undefined,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<RgbImage> => {
  options.signal?.throwIfAborted()
  if (typeof source === 'string') {
    if (isDataUrl(source)) return decodeImage(dataUrlBytes(source), options)
    if (/^https?:/i.test(source))
      throw new AwqError('UNSUPPORTED', `${quoted(source)}: images are not fetched from the network; give their bytes`)
    if (read) return read(source, options)
    throw new AwqError(
      'UNSUPPORTED',
      `${quoted(source)}: an image is given by its bytes or a data URL (files are read where the part says so: { type: 'image', path })`,
    )
  }
  if (source instanceof Uint8Array) return decodeImage(source, options)
  if (source instanceof ArrayBuffer) return decodeImage(new Uint8Array(source), options)
  if (typeof source === 'object' && source !== null) {
    if (source instanceof Blob) return decodeImage(new Uint8Array(await source.arrayBuffer()), options)
    if (isPixels(source)) return source
  }
  throw new AwqError('INVALID_ARGUMENT', 'an image must be bytes, a Blob, pixels { width, height, data } or a data URL')
}
