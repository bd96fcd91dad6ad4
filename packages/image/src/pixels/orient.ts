import type { RgbImage } from '../types.ts'

/**
 * Where pixel (x, y) of an upright image lies in the stored one, by EXIF's tag 274, as `from(x, y, width, height)` of the stored size:
 * `swap` when the sides change places. 1 is upright.
 */
const places: Readonly<Record<number, { swap: boolean; mirrorX: boolean; mirrorY: boolean }>> = {
  2: { swap: false, mirrorX: true, mirrorY: false },
  3: { swap: false, mirrorX: true, mirrorY: true },
  4: { swap: false, mirrorX: false, mirrorY: true },
  5: { swap: true, mirrorX: false, mirrorY: false },
  6: { swap: true, mirrorX: false, mirrorY: true },
  7: { swap: true, mirrorX: true, mirrorY: true },
  8: { swap: true, mirrorX: true, mirrorY: false },
}

/** An image turned and mirrored as EXIF's orientation (1 to 8) says; itself where it is upright. */
export function orient(image: RgbImage, orientation: number): RgbImage {
  const place = places[orientation]
  if (place === undefined) return image
  const { width: storedWidth, height: storedHeight, data } = image
  const [width, height] = place.swap ? [storedHeight, storedWidth] : [storedWidth, storedHeight]
  const turned = new Uint8Array(data.length)
  let to = 0
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [column, row] = place.swap ? [y, x] : [x, y]
      const storedX = place.mirrorX ? storedWidth - 1 - column : column
      const storedY = place.mirrorY ? storedHeight - 1 - row : row
      const from = (storedY * storedWidth + storedX) * 3
      turned[to++] = data[from]!
      turned[to++] = data[from + 1]!
      turned[to++] = data[from + 2]!
    }
  }
  return { width, height, data: turned }
}
