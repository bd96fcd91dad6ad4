import { AwqError, messageOf } from '@awq/tensor'
import { formats, type ImageFormat } from './header/formats.ts'
import type { DecodedPixels } from './types.ts'

/**
 * Decodes by the browser: colour profiles not applied. What lies under fully transparent pixels is lost, because a canvas keeps
 * its colours multiplied by alpha.
 */
export async function decodeWithPlatform(bytes: Uint8Array, format: ImageFormat, name: string): Promise<DecodedPixels> {
  let bitmap: ImageBitmap
  try {
    const blob = new Blob([bytes as Uint8Array<ArrayBuffer>], { type: formats[format].mime })
    bitmap = await createImageBitmap(blob, { premultiplyAlpha: 'none', colorSpaceConversion: 'none' })
  } catch (cause) {
    throw new AwqError(
      'INVALID_FILE',
      `${name} (${format}) cannot be decoded by this browser: ${messageOf(cause)}. It is damaged, or of a format that the browser lacks`,
      { cause },
    )
  }
  const { width, height } = bitmap
  const canvas = new OffscreenCanvas(width, height)
  const context = canvas.getContext('2d', { willReadFrequently: true })
  if (context === null) throw new AwqError('UNSUPPORTED', `${name}: this browser gives no canvas to read pixels from`)
  context.drawImage(bitmap, 0, 0)
  bitmap.close()
  const { data } = context.getImageData(0, 0, width, height)
  return { width, height, channels: 4, data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) }
}
