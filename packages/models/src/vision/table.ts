/**
 * The language in which a family's table writes how it sees: a tower that makes features of pixels, and a projector that
 * makes rows of the language model's residual stream of them.
 * @module
 */
import type { Step } from '../steps.ts'

/**
 * What a tower is given. `tiles`: pixels `[tiles, channels, height, width]`, cut into squares of `patch`; `patches`: those
 * already cut, `[patches, channels * frames * patch * patch]`, in an order in which `merge * merge` neighbours follow each
 * other.
 */
export type PixelInput =
  | { readonly kind: 'tiles'; readonly channels: number; readonly size: number; readonly patch: number }
  | {
      readonly kind: 'patches'
      readonly channels: number
      readonly frames: number
      readonly patch: number
      readonly merge: number
    }

/**
 * Learned positions that are added to the patches. `ordered`: row i for the i-th token, the class token among them;
 * `buckets`: a square table of which an image of fewer patches takes the rows at the same fractions of its sides.
 */
export interface LearnedPositions {
  /** With its suffix. */
  readonly table: string
  readonly rows: number
  readonly lookup: 'ordered' | 'buckets'
}

/** One block of a tower: steps from `hidden` to `hidden`, attention among them sees all tokens of a tile or window. */
export interface TowerBlock {
  readonly steps: readonly Step[]
  /** Tokens attend within their window alone. */
  readonly windowed: boolean
}

/** A vision transformer; parameters by full names. */
export interface TowerTable {
  readonly pixels: PixelInput
  readonly hiddenSize: number
  readonly heads: number
  /** The linear over the values of a patch; checkpoints hold it as a convolution's kernel. */
  readonly patches: { readonly weight: string; readonly bias: boolean }
  /** A parameter `[hiddenSize]` in front of the patches' tokens. */
  readonly classToken: string | null
  readonly positions: LearnedPositions | null
  /** Rotary embedding by row and column: a quarter of a head's elements turn with each, and once more in its second half. */
  readonly rope: { readonly theta: number } | null
  /** Patches along the side of a window; null where no block is windowed. */
  readonly window: number | null
  /** From the embedded patches, `hidden`, to what the first block reads. */
  readonly before: readonly Step[]
  readonly blocks: readonly TowerBlock[]
  /** Residual streams that are taken, side by side: 0 is that in front of the first block, n that behind the n-th. */
  readonly taken: readonly number[]
  /** From what was taken, `hidden`, to the features. */
  readonly after: readonly Step[]
  /** The class token is not among the features. */
  readonly dropsClass: boolean
}

/**
 * How a projector rearranges tokens that form a square. `shuffle`: `factor * factor` neighbours become one token, their values
 * side by side; `average`: `factor * factor` neighbours become their mean; `merge`: `factor * factor` tokens that follow each
 * other become one.
 */
export interface Rearrangement {
  readonly kind: 'shuffle' | 'average' | 'merge'
  readonly factor: number
}

/** A projector: steps from `hidden` to `hidden`, with a rearrangement between. */
export interface ProjectorTable {
  readonly before: readonly Step[]
  readonly rearrange: Rearrangement | null
  readonly after: readonly Step[]
}

/**
 * What tokens may see of those behind them: `causal` nothing; `image` those of their own image; `prefix` all tokens of a prompt
 * with images.
 */
export type ImageAttention = 'causal' | 'image' | 'prefix'

/** How tiles of a large image are put together again (LLaVA-NeXT): a vector ends each row of the whole. */
export interface AnyResolution {
  /** Sizes that an image may be resized to, `[height, width]`. */
  readonly pinpoints: readonly (readonly [height: number, width: number])[]
  /** A parameter `[hidden]`. */
  readonly newline: string
}

/** How a family sees. */
export interface VisionTable {
  readonly tower: TowerTable
  readonly projector: ProjectorTable
  readonly attention: ImageAttention
  readonly anyResolution: AnyResolution | null
  /** The token that stands for a row of features in prompts of this family. */
  readonly imageTokenId: number
  /** Beginnings of tensor names in some checkpoints, and what they are here. */
  readonly aliases: Readonly<Record<string, string>>
}
