import { AwqError } from '@awq/tensor'

/** The most pixels of an image unless told otherwise: 64 Mi, some 200 MB once decoded. */
export const defaultMaxPixels = 2 ** 26

/** Throws UNSUPPORTED for an image of more than so many pixels; `name` is what the message calls it. */
export function checkSize(
  { width, height }: { readonly width: number; readonly height: number },
  maxPixels: number,
  name: string,
): void {
  if (!(width * height > maxPixels)) return
  const million = (pixels: number): string => `${Number((pixels / 1e6).toPrecision(3))} million`
  throw new AwqError(
    'UNSUPPORTED',
    `${name} has ${width} x ${height} pixels, ${million(width * height)}: more than the ${million(maxPixels)} that are ` +
      'taken. Make it smaller; programs may raise maxPixels',
  )
}
