import { stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { AwqError, quoted } from '@awq/tensor'
import { fileSource, type HubOptions, isHubId } from '@awq/tensor/node'
import { namedDatasets, openHubTexts } from './hub-texts.ts'
import { isImageDocument } from './image-records.ts'
import { readTexts } from './read-texts.ts'
import type { TextDocument } from './types.ts'

/**
 * Opens calibration or evaluation text by what a user types: the path of a file (see `readTexts`), the name `wikitext` or
 * `pileval`, or a data set of the Hugging Face hub, `ORG/NAME` or `ORG/NAME:PART` where PART is a folder or file in it.
 * A file that exists goes before a name. Rejects at once with `AwqError` NOT_FOUND when there is nothing by that name;
 * Names of images in a file are those of its folder. Errors in the content come while reading. The options are those of the hub (cache, token, address, progress, signal).
 */
export async function openText(reference: string, options: HubOptions = {}): Promise<AsyncIterable<TextDocument>> {
  options.signal?.throwIfAborted()
  const status = await stat(reference).catch(() => undefined)
  if (status?.isDirectory()) {
    throw new AwqError('INVALID_ARGUMENT', `${reference} is a folder; give a file (text, JSON, JSONL or parquet)`)
  }
  if (status) {
    if (status.size === 0 && status.isFile()) throw new AwqError('INVALID_FILE', `${reference} is empty`)
    return readFile(reference, options.signal)
  }
  const named = Object.hasOwn(namedDatasets, reference) ? namedDatasets[reference] : undefined
  if (named) return openHubTexts(named, options)
  const [name = '', ...rest] = reference.split(':')
  const part = rest.join(':')
  const looksLikeFile = /\.(txt|md|raw|jsonl?|ndjson|parquet|csv|gz)$/i.test(name)
  if (isHubId(name) && !looksLikeFile) return openHubTexts({ name, ...(part === '' ? {} : { part }) }, options)
  throw new AwqError(
    'NOT_FOUND',
    `there is no file ${quoted(reference)}; give the path of a text, JSONL, JSON or parquet file, ` +
      `${Object.keys(namedDatasets).join(' or ')}, or a data set of the hub (ORG/NAME)`,
  )
}

async function* readFile(path: string, signal: AbortSignal | undefined): AsyncGenerator<TextDocument> {
  const source = await fileSource(path)
  try {
    const folder = dirname(resolve(path))
    for await (const document of readTexts(source, { signal }))
      yield isImageDocument(document) ? { ...document, folder } : document
  } finally {
    await source.close?.()
  }
}
