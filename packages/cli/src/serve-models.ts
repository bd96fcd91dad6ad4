import { existsSync } from 'node:fs'
import { totalmem } from 'node:os'
import { basename, resolve } from 'node:path'
import { UsageError } from './parse.ts'

/** A model argument of `awq serve`. */
export interface ServedModel {
  /** What requests call it. */
  readonly name: string
  readonly aliases: readonly string[]
  /** Folder or hub id. */
  readonly reference: string
}

/**
 * Names for the models of a server: `NAME=MODEL` says it, a hub id is its own name, a folder is called as it is. The whole
 * argument works as well.
 * @throws UsageError when two would have the same name
 */
export const servedModels = (references: readonly string[]): ServedModel[] => {
  const models = references.map((argument): ServedModel => {
    const [, given, rest] = /^([^=/\\]+)=(.+)$/s.exec(argument) ?? []
    if (given !== undefined && rest !== undefined && !existsSync(argument)) {
      return { name: given, aliases: [], reference: rest }
    }
    const name = existsSync(argument) ? basename(resolve(argument)) : argument
    return { name, aliases: name === argument ? [] : [argument], reference: argument }
  })
  for (const [index, { name, reference }] of models.entries()) {
    const other = models.slice(0, index).find((model) => model.name === name)
    if (other) {
      throw new UsageError(
        `${other.reference} and ${reference} would both be called ${name}; give one of them a name: NAME=${reference}`,
      )
    }
  }
  return models
}

/** Four fifths of the memory of this machine, or of what its container may take. */
export const defaultMemory = (): number => {
  const limit = process.constrainedMemory?.() ?? 0
  const total = totalmem()
  return Math.floor((limit > 0 && limit < total ? limit : total) * 0.8)
}

/** What the caches of one model take at most, where nothing else is said. */
export const mostCacheBytes = 2 ** 30
