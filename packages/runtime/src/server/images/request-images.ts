/**
 * The images of one request: URLs to files, whose kind and size are looked at, and files to pixels.
 * @module
 */
import { dataUrlBytes, decodeImage, isDataUrl, type RgbImage, readImageHeader } from '@awq/image'
import { AwqError } from '@awq/tensor'
import { type ApiError, badParameter } from '../api-error.ts'
import type { HostCheck } from './allowed-hosts.ts'
import { DownloadFailure, downloadImage } from './download.ts'

/** The file of an image. */
export interface ImageFile {
  readonly bytes: Uint8Array
  /** Where it is in the request. */
  readonly param: string
}

/** Reads what a request calls an image. */
export interface RequestImages {
  /**
   * The file behind a URL of a request.
   * @throws ApiError 400 for what is no image, is larger than allowed, or may not or cannot be fetched
   */
  read(url: string, param: string): Promise<ImageFile>
  /** The pixels of a file. @throws ApiError 400 for one that is damaged */
  decode(file: ImageFile): Promise<RgbImage>
}

/** What the images of a request do not go beyond, together where nothing else is said. */
export interface ImageLimits {
  readonly images: number
  /** Bytes of files that are fetched. */
  readonly bytes: number
  readonly pixels: number
  /** For one to be fetched. */
  readonly seconds: number
  /** Undefined where none is fetched. */
  readonly allowed: HostCheck | undefined
}

/** What `decodeImage` and its kin refuse is about the image. */
const refused = (error: unknown, param: string): unknown =>
  AwqError.is(error) ? badParameter(param, `Invalid image: ${error.message}.`, 'image_parse_error') : error

const notFetched = (param: string): ApiError =>
  badParameter(
    param,
    'This server fetches no images: send it as a data URL, data:image/png;base64,... (awq serve --allow-image-host HOST lets it fetch ' +
      'those of a host).',
    'invalid_image_url',
  )

const foreign = (param: string): ApiError =>
  badParameter(
    param,
    'The image cannot be fetched: what its host sends is not an image; PNG, JPEG, WebP, GIF, BMP, TIFF and AVIF are read.',
    'invalid_image_url',
  )

/** The images of a request, none of them read. */
export const createRequestImages = (limits: ImageLimits, signal: AbortSignal): RequestImages => {
  let left = { ...limits }

  const fetched = async (url: string, param: string): Promise<Uint8Array> => {
    const { allowed, seconds, bytes } = left
    // Whatever else a URL may say, such as file:, leads nowhere.
    if (!allowed) throw notFetched(param)
    try {
      const file = await downloadImage(url, { bytes, seconds, allowed, signal })
      left = { ...left, bytes: bytes - file.byteLength }
      return file
    } catch (error) {
      if (!(error instanceof DownloadFailure)) throw error
      throw badParameter(param, `The image cannot be fetched: ${error.message}.`, 'invalid_image_url')
    }
  }

  const measure = (bytes: Uint8Array, param: string): void => {
    const { width, height } = readImageHeader(bytes)
    const pixels = left.pixels - width * height
    if (pixels < 0) {
      throw badParameter(
        param,
        `The image has ${width} x ${height} pixels; this server takes ${limits.pixels} in one request. Make it smaller.`,
        'image_too_large',
      )
    }
    left = { ...left, pixels }
  }

  return {
    async read(url, param) {
      if (left.images === 0)
        throw badParameter(param, `This server takes up to ${limits.images} images in one request.`, 'too_many_images')
      left = { ...left, images: left.images - 1 }
      const isData = isDataUrl(url)
      try {
        const bytes = isData ? dataUrlBytes(url) : await fetched(url, param)
        measure(bytes, param)
        return { bytes, param }
      } catch (error) {
        // What a host sends in place of an image may not be for whoever asks.
        throw isData || !AwqError.is(error) ? refused(error, param) : foreign(param)
      }
    },
    async decode({ bytes, param }) {
      try {
        return await decodeImage(bytes, { maxPixels: limits.pixels, signal })
      } catch (error) {
        signal.throwIfAborted()
        throw refused(error, param)
      }
    },
  }
}
