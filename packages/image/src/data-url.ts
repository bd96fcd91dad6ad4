import { AwqError } from '@awq/tensor'

/** Whether a text is a data URL. */
export const isDataUrl = (text: string): boolean => /^data:/i.test(text)

/**
 * The bytes of a data URL in base64 (`data:image/png;base64,...`), whose stated type is not believed: `decodeImage` looks at the bytes.
 * Throws INVALID_ARGUMENT for anything else, and UNSUPPORTED for more than `maxBytes` (default 64 MiB).
 */
export function dataUrlBytes(url: string, options: { readonly maxBytes?: number } = {}): Uint8Array {
  const { maxBytes = 2 ** 26 } = options
  const comma = url.indexOf(',')
  const head = url.slice(0, Math.max(comma, 0))
  if (!/^data:[^,]*;base64$/i.test(head)) {
    throw new AwqError('INVALID_ARGUMENT', 'an image in a URL must be base64: data:image/png;base64,...')
  }
  if ((url.length - comma) * 0.75 > maxBytes + 3) {
    throw new AwqError('UNSUPPORTED', `an image of more than ${maxBytes} bytes in a data URL; make it smaller`)
  }
  try {
    const text = atob(url.slice(comma + 1).replace(/\s+/g, ''))
    return Uint8Array.from(text, (character) => character.charCodeAt(0))
  } catch (cause) {
    throw new AwqError('INVALID_ARGUMENT', 'the base64 of an image in a data URL is damaged', { cause })
  }
}
