/** Text formats in order of preference: parquet is typed and compact, plain text has no rows. */
const formats = [/\.parquet$/i, /\.(jsonl|ndjson)(\.gz)?$/i, /\.json(\.gz)?$/i, /\.txt(\.gz)?$/i]

/** Files that describe a data set rather than belong to it. */
const descriptions =
  /(^|\/)(dataset_infos|dataset_dict|dataset_info|state|config|data_args|\.[^/]*)\.?json$|^\.|readme|license/i

/** Splits in order of preference, as they occur in file and folder names. */
const splits = [/(^|[^a-z])train/i, /(^|[^a-z])(valid|val|dev)/i, /(^|[^a-z])test/i]

/**
 * The files of a data set's repository to read text from, in order: those under `part` (a folder, a file, or the start of their
 * name) if given; of the best format present; of the train split if there is one, else validation, else test; of one folder.
 * Empty when nothing fits.
 */
export function datasetFiles(files: readonly string[], part?: string): string[] {
  const under = files.filter((file) => !descriptions.test(file) && (part === undefined || isUnder(file, part)))
  for (const format of formats) {
    const fitting = under.filter((file) => format.test(file))
    if (fitting.length > 0) return oneFolder(oneSplit(fitting)).sort()
  }
  return []
}

function isUnder(file: string, part: string): boolean {
  return file.startsWith(part) || `/${file}`.includes(`/${part}/`)
}

function oneSplit(files: string[]): string[] {
  for (const split of splits) {
    const fitting = files.filter((file) => split.test(file))
    if (fitting.length > 0) return fitting
  }
  return files
}

function oneFolder(files: string[]): string[] {
  const folderOf = (file: string) => file.slice(0, file.lastIndexOf('/') + 1)
  const first = files.map(folderOf).sort()[0]
  return files.filter((file) => folderOf(file) === first)
}
