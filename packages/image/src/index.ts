export { dataUrlBytes, isDataUrl } from './data-url.ts'
export { type DecodeOptions, decodeImage } from './decode.ts'
export type { OrientationTag } from './header/exif.ts'
export type { FormatHeader, ImageFormat } from './header/formats.ts'
export { type ImageHeader, readImageHeader } from './header/read-header.ts'
export { defaultMaxPixels } from './limits.ts'
export type { Resampling } from './pixels/filters.ts'
export { type Drawable, type GivenPixels, pixelsOf } from './pixels/given.ts'
export { type Backend, resize } from './pixels/resize.ts'
export { type ProcessorFiles, readProcessorFiles } from './processors/files.ts'
export {
  createImageProcessor,
  type ImageProcessor,
  loadImageProcessor,
  type ProcessedImage,
  type ProcessorOptions,
} from './processors/processor.ts'
export type { Size } from './processors/sizes.ts'
export { expandPrompt, type PromptRules, splitPrompt, unpadded } from './prompt/rules.ts'
export type { RgbImage } from './types.ts'
