/**
 * Checkpoint formats of quantized models, in and out, by moving integers.
 * @packageDocumentation
 */
export type * from './folder-writer.ts'
export type * from './format.ts'
export type * from './model.ts'
