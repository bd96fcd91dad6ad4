import type { Libraries } from './libraries.ts'

/** The real libraries. */
export const nodeLibraries: Libraries = {
  tensor: () => import('@awq/tensor/node'),
  text: () => import('@awq/text/node'),
  tokenizer: () => import('@awq/text'),
  ort: () => import('@awq/ort'),
  image: () => import('@awq/image/node'),
  runtime: () => import('@awq/runtime'),
  server: () => import('@awq/runtime/server'),
  evaluate: () => import('@awq/evaluate'),
  tasks: () => import('@awq/evaluate'),
  taskTools: () => import('@awq/evaluate/node'),
  core: () => import('@awq/core'),
  report: () => import('@awq/report'),
  formats: () => import('@awq/formats'),
  formatFolders: () => import('@awq/formats/node'),
}
