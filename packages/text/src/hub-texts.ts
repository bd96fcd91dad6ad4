import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { AwqError } from '@awq/tensor'
import { downloadFromHub, fileSource, type HubOptions } from '@awq/tensor/node'
import { datasetFiles } from './dataset-files.ts'
import { parquetDocuments } from './parquet.ts'
import { readTexts } from './read-texts.ts'
import type { TextDocument } from './types.ts'

/** A data set on the hub. */
export interface HubDataset {
  /** `ORG/NAME`. */
  readonly name: string
  /** A folder, a file, or the start of file names within it. */
  readonly part?: string
  /** Rows are lines of running text: they are joined by this, in documents of about 1 MiB. */
  readonly join?: string
}

/** Data sets that calibration is usually done with, by the names that other tools use for them. */
export const namedDatasets: Readonly<Record<string, HubDataset>> = {
  wikitext: { name: 'Salesforce/wikitext', part: 'wikitext-2-raw-v1', join: '\n\n' },
  pileval: { name: 'mit-han-lab/pile-val-backup' },
}

/** The hub converts every public data set to parquet under this revision: the way to formats that are not read here. */
const parquetRevision = 'refs/convert/parquet'

const joinedLength = 2 ** 20

/**
 * The documents of a data set on the hub. The first file is downloaded before this returns, so that a wrong name fails at once;
 * the others follow when reading gets there. Files are kept in the cache shared with Python's huggingface_hub.
 * Throws `AwqError` NOT_FOUND (no such data set, or nothing readable in it), NETWORK, or what `readTexts` throws.
 */
export async function openHubTexts(
  dataset: HubDataset,
  options: HubOptions = {},
): Promise<AsyncIterable<TextDocument>> {
  const { revision, first, count } = await firstFile(dataset, options)
  const file = (index: number) =>
    index === 0 ? first : fetchFile(dataset, { ...options, revision }, index).then(({ path }) => path as string)
  return readFiles(dataset, file, count, options.signal)
}

async function firstFile(dataset: HubDataset, options: HubOptions) {
  const revisions = options.revision === undefined ? ['main', parquetRevision] : [options.revision]
  let seen: readonly string[] = []
  for (const revision of revisions) {
    const found = await fetchFile(dataset, { ...options, revision }, 0).catch((error: unknown) => {
      // No parquet conversion: what matters is what the data set itself has.
      if (revision === parquetRevision && AwqError.is(error) && error.code === 'NOT_FOUND') return undefined
      throw error
    })
    if (found?.path !== undefined) return { revision, first: found.path, count: found.count }
    if (found && seen.length === 0) seen = found.files
  }
  const part = dataset.part === undefined ? '' : ` under ${dataset.part}`
  const has = seen.length === 0 ? 'no files' : seen.slice(0, 12).join(', ')
  throw new AwqError(
    'NOT_FOUND',
    `the data set ${dataset.name} has no parquet, JSONL, JSON or text file${part}; it has ${has}. ` +
      'Download it by other means and give the path of a file',
  )
}

/** Downloads one of the chosen files; without a network the cache's files are chosen from. */
async function fetchFile(dataset: HubDataset, options: HubOptions, index: number) {
  let files: readonly string[] = []
  let chosen: string[] = []
  const choose = (names: readonly string[]) => {
    files = names
    chosen = datasetFiles(names, dataset.part)
    return chosen.slice(index, index + 1)
  }
  const complete = async (folder: string) => choose(await filesUnder(folder)).length > 0
  const folder = await downloadFromHub({ type: 'dataset', name: dataset.name }, choose, { ...options, complete })
  const file = chosen[index]
  return { path: file === undefined ? undefined : join(folder, file), count: chosen.length, files }
}

async function filesUnder(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(folder.length + 1)
        .replaceAll('\\', '/'),
    )
}

async function* readFiles(
  dataset: HubDataset,
  file: (index: number) => string | Promise<string>,
  count: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<TextDocument> {
  for (let index = 0; index < count; index++) {
    const source = await fileSource(await file(index))
    const options = { signal }
    try {
      if (dataset.join === undefined) yield* readTexts(source, options)
      else yield* joinRows(parquetDocuments(source, options), dataset.join)
    } finally {
      await source.close?.()
    }
  }
}

/** Joins rows, empty ones included, to running text in documents of about 1 MiB. */
async function* joinRows(rows: AsyncIterable<TextDocument>, separator: string): AsyncGenerator<string> {
  let pending: string[] = []
  let length = 0
  for await (const row of rows) {
    if (typeof row !== 'string') continue
    pending.push(row)
    length += row.length + separator.length
    if (length < joinedLength) continue
    yield pending.join(separator)
    pending = ['']
    length = 0
  }
  if (length > 0) yield pending.join(separator)
}
