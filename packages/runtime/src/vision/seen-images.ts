/**
 * Images that a model has seen: rows of features under token ids past the vocabulary. Ids are never given twice, so that texts
 * that begin with the same ids have seen the same images.
 * @module
 */
import type { PatchGrid } from '@awq/models'
import { AwqError } from '@awq/tensor'

/** An image's rows of features. */
export interface SeenImage {
  /** The id of its first row; row i has `firstId + i`. */
  readonly firstId: number
  readonly rows: number
  /** float32 `[rows, hidden]` */
  readonly features: Float32Array
  /** Rows and columns, where they form a rectangle in order. */
  readonly grid: PatchGrid | undefined
  /** Tells it from other images. */
  readonly key: string
}

/** Keeps images, however many others are seen. */
export interface ImageHold {
  /** @throws AwqError BUSY where what others keep leaves no room for it; a prompt's own images always find some */
  keep(image: SeenImage): void
  /** Lets go of all that it keeps. Only the first call does something. */
  release(): void
}

/** The images that are at hand. */
export interface SeenImages {
  /** Bytes of all features. */
  readonly bytes: number
  /** Takes an image in; `key` says that another one is the same. */
  add(key: string, features: Float32Array, grid: PatchGrid | undefined): SeenImage
  /** An image that was taken in under this key. */
  byKey(key: string): SeenImage | undefined
  /** The image that an id past the vocabulary stands for a row of. @throws AwqError INVALID_ARGUMENT where it is not there */
  find(id: number): SeenImage
  /** Whether an id is a token or a row of an image that is there. */
  has(id: number): boolean
  /** A hold of the images that ids stand for rows of. @throws AwqError as `find` and `ImageHold.keep` */
  hold(ids?: readonly number[]): ImageHold
}

/** What is kept of images: features of a 7B model take 9 MB for each of LLaVA's. */
const keptBytes = 2 ** 29

/**
 * No images.
 * @param width of a row of features
 * @param limit bytes of features that are kept; beyond them those that were used longest ago and that nobody holds are forgotten
 */
export const createSeenImages = (vocabSize: number, width: number, limit = keptBytes): SeenImages => {
  /** By first id, ascending. */
  let images: SeenImage[] = []
  /** Those used last behind the others. */
  const keys = new Map<string, SeenImage>()
  /** How many hold an image. */
  const holders = new Map<SeenImage, number>()
  let bytes = 0
  let heldBytes = 0
  let next = vocabSize

  const place = (id: number): SeenImage | undefined => {
    let [low, high] = [0, images.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (images[middle]!.firstId <= id) low = middle + 1
      else high = middle
    }
    const image = images[low - 1]
    return image && id < image.firstId + image.rows ? image : undefined
  }

  /** @param last the image that was used last, which stays */
  const forget = (last: SeenImage | undefined): void => {
    for (const [key, image] of keys) {
      if (bytes <= limit) return
      if (image === last || holders.has(image)) continue
      keys.delete(key)
      bytes -= image.features.byteLength
      images = images.filter((other) => other !== image)
    }
  }

  const find = (id: number): SeenImage => {
    const image = place(id)
    if (image) return image
    throw new AwqError(
      'INVALID_ARGUMENT',
      `Token id ${id} is outside the vocabulary of ${vocabSize} tokens, and no image is known that it stands for.`,
    )
  }

  const openHold = (): ImageHold => {
    const own = new Set<SeenImage>()
    let ownBytes = 0
    return {
      keep(image) {
        if (own.has(image)) return
        const { byteLength } = image.features
        const others = holders.get(image) ?? 0
        if (others === 0) {
          if (heldBytes + byteLength > limit && heldBytes > ownBytes)
            throw new AwqError(
              'BUSY',
              `The images of other prompts take ${heldBytes} of ${limit} bytes until these are answered. Try again later.`,
            )
          heldBytes += byteLength
        }
        holders.set(image, others + 1)
        own.add(image)
        ownBytes += byteLength
      },
      release() {
        for (const image of own) {
          const others = holders.get(image)! - 1
          if (others > 0) holders.set(image, others)
          else {
            holders.delete(image)
            heldBytes -= image.features.byteLength
          }
        }
        own.clear()
        ownBytes = 0
        forget([...keys.values()].at(-1))
      },
    }
  }

  return {
    get bytes() {
      return bytes
    },
    add(key, features, grid) {
      const image = { firstId: next, rows: features.length / width, features, grid, key }
      next += image.rows
      images.push(image)
      keys.set(key, image)
      bytes += features.byteLength
      forget(image)
      return image
    },
    byKey(key) {
      const image = keys.get(key)
      if (!image) return undefined
      keys.delete(key)
      keys.set(key, image)
      return image
    },
    find,
    has: (id) => Number.isInteger(id) && id >= 0 && (id < vocabSize || place(id) !== undefined),
    hold(ids = []) {
      const hold = openHold()
      let image: SeenImage | undefined
      try {
        for (const id of ids) {
          if (id < vocabSize || (image && id >= image.firstId && id < image.firstId + image.rows)) continue
          image = find(id)
          hold.keep(image)
        }
      } catch (error) {
        hold.release()
        throw error
      }
      return hold
    },
  }
}
