export {
  type BlobOptions,
  type ByteSource,
  blobSource,
  type DownloadOptions,
  type FileRange,
  memorySource,
} from './byte-source.ts'
export { bytesOf } from './bytes-of.ts'
export { openCheckpoint } from './checkpoint.ts'
export { fromFloat32, toFloat32 } from './convert.ts'
export { type DenseColumns, indicesProblem, takeDenseColumns, withDenseColumns } from './dense-columns.ts'
export {
  byteLength,
  byteWidth,
  type DType,
  elementCount,
  isDType,
} from './dtype.ts'
export { AwqError, type AwqErrorCode, messageOf, quoted } from './error.ts'
export { checkFinite, notFinite } from './finite.ts'
export { type Folder, memoryFolder, partOfFolder, readSourceText } from './folder.ts'
export { ggufNames, ggufPiece, ggufSiblings } from './gguf-names.ts'
export { type HttpSourceOptions, httpSource } from './http-source.ts'
export { inputOrderProblem } from './input-order.ts'
export {
  float16BitsToFloat32,
  float32ToFloat16Bits,
  roundHalfEven,
} from './minifloat.ts'
export { decodeMxfp4, MXFP4_BLOCK } from './mxfp4.ts'
export { parseJson } from './parse-json.ts'
export {
  checkQuantizedMatrix,
  dequantize,
  groupCount,
  type QuantizedMatrix,
} from './quantized-matrix.ts'
export { readableBytes } from './readable-bytes.ts'
export { releaseArrays } from './release.ts'
export {
  type Checkpoint,
  openSafetensors,
  type ReadOptions,
  readFloat32,
  type TensorEntry,
} from './safetensors.ts'
export {
  type PlannedHeader,
  safetensorsHeader,
  type TensorDeclaration,
} from './safetensors-header.ts'
export {
  type ByteSink,
  memorySink,
  type TensorToWrite,
  type WriteOptions,
  writeSafetensors,
} from './safetensors-write.ts'
export { transposed } from './transposed.ts'
