export { dataUrlBytes, isDataUrl } from './data-url.ts'
export { type DecodeOptions, decodeImage, defaultMaxPixels } from './decode.ts'
export type { OrientationTag } from './header/exif.ts'
export type { FormatHeader, ImageFormat } from './header/formats.ts'
export { type ImageHeader, readImageHeader } from './header/read-header.ts'
export type { Resampling } from './pixels/filters.ts'
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
export { expandPrompt, type PromptRules, unpadded } from './prompt/rules.ts'
export type { RgbImage } from './types.ts'
