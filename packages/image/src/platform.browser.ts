import { AwqError, messageOf } from '@awq/tensor'
import { hasAlpha, pixelsByCanvas, pixelsByTexture } from './bitmap-pixels.ts'
import { formats, type ImageFormat } from './header/formats.ts'
import { checkSize } from './limits.ts'
import type { Drawable } from './pixels/given.ts'
import type { DecodedPixels } from './types.ts'

/**
 * Decodes by the browser: colour profiles not applied. What lies under fully transparent pixels is lost where the browser has no
 * WebGL 2.
 */
export async function decodeWithPlatform(bytes: Uint8Array, format: ImageFormat, name: string): Promise<DecodedPixels> {
  let bitmap: ImageBitmap
  try {
    const blob = new Blob([bytes as Uint8Array<ArrayBuffer>], { type: formats[format].mime })
    bitmap = await createImageBitmap(blob, { premultiplyAlpha: 'none', colorSpaceConversion: 'none' })
  } catch (cause) {
    throw new AwqError(
      'INVALID_FILE',
      `${name} (${format}) cannot be decoded by this browser: ${messageOf(cause)}. It is damaged, or of a format that the browser lacks: save it as PNG or JPEG`,
      { cause },
    )
  }
  return bitmapPixels(bitmap, name)
}

/**
 * The pixels of what a page can draw: an ImageBitmap, an image, a canvas, the frame that a video shows. Throws INVALID_ARGUMENT for what can
 * not be drawn (yet), and as `checkSize`.
 */
export async function drawnPixels(source: Drawable, maxPixels: number, name: string): Promise<DecodedPixels> {
  let bitmap: ImageBitmap
  try {
    bitmap = await createImageBitmap(source as ImageBitmapSource, {
      premultiplyAlpha: 'none',
      colorSpaceConversion: 'none',
    })
  } catch (cause) {
    throw new AwqError(
      'INVALID_ARGUMENT',
      `${name} cannot be drawn: ${messageOf(cause)}. Give an ImageBitmap, ImageData, an image or a canvas that is ready, or the bytes of a file`,
      { cause },
    )
  }
  try {
    checkSize(bitmap, maxPixels, name)
  } catch (error) {
    bitmap.close()
    throw error
  }
  return bitmapPixels(bitmap, name)
}

/** RGBA of a bitmap, which is closed. */
function bitmapPixels(bitmap: ImageBitmap, name: string): DecodedPixels {
  try {
    const { width, height } = bitmap
    const drawn = pixelsByCanvas(bitmap, name)
    const data = hasAlpha(drawn) ? (pixelsByTexture(bitmap) ?? drawn) : drawn
    return { width, height, channels: 4, data }
  } finally {
    bitmap.close()
  }
}
