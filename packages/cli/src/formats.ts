import { join } from 'node:path'
import { AwqError } from '@awq/tensor'
import type { Session } from './command.ts'
import { formatBytes, formatSeconds } from './format.ts'
import type { FormatsLibrary, PortableModel } from './libraries.ts'
import { findAnyModel, verifyFolder } from './model.ts'
import { accuracy, type CommonValues, flag, optional, type Values } from './options.ts'
import { UsageError } from './parse.ts'

/** A format to write and where. */
export interface Target {
  readonly format: string
  readonly path: string
}

/** What was written. */
export interface Written extends Target {
  readonly bytes: number
}

/** One format goes to the output itself, several go to a folder each in it. */
export const targetsOf = (formats: readonly string[], output: string): Target[] =>
  formats.map((format) => ({ format, path: formats.length === 1 ? output : join(output, format) }))

/** @throws UsageError for a name that is none of a format that is written */
export const checkFormats = ({ formats }: FormatsLibrary, names: readonly string[]): void => {
  const writable = formats.filter(({ write }) => write).map(({ name }) => name)
  const unknown = names.find((name) => !writable.includes(name))
  if (unknown === undefined) return
  const readOnly = formats.some(({ name }) => name === unknown) ? `${unknown} is only read` : JSON.stringify(unknown)
  throw new UsageError(`--format must be one of ${writable.join(', ')}, not ${readOnly}`)
}

/** Options of commands that write formats. */
export const writeOptions = {
  accuracy: optional(
    'MODE',
    accuracy,
    'For transformersjs and genai: exact: float32 activations; fast: int8 where the engine can (default fast)',
  ),
  skipHashes: flag('Do not read the files first to compare them with the hashes that were written down'),
}

/** What of these options decides the result. */
type WriteValues = Values<typeof writeOptions>

/** @throws UsageError where a format has no place for what an option asks for */
const checkAccuracy = ({ formats }: FormatsLibrary, names: readonly string[], mode: string | undefined): void => {
  if (mode === undefined) return
  const taking = formats.filter(({ takesAccuracy }) => takesAccuracy).map(({ name }) => name)
  if (names.some((name) => taking.includes(name))) return
  throw new UsageError(`--accuracy is for ${taking.join(' and ')}: other formats leave it to what reads them`)
}

/** @throws AwqError UNSUPPORTED with the reasons of the formats that cannot hold a model, and which of those asked for can */
const checkTargets = async (
  model: PortableModel,
  targets: readonly Target[],
  checkHolds: FormatsLibrary['checkHolds'],
): Promise<void> => {
  const refusals: string[] = []
  const holding: string[] = []
  for (const { format } of targets)
    await checkHolds(model, format).then(
      () => holding.push(format),
      (error: unknown) => {
        if (!AwqError.is(error) || error.code !== 'UNSUPPORTED') throw error
        refusals.push(error.message)
      },
    )
  if (refusals.length === 0) return
  const others =
    holding.length > 0 ? `. Nothing was written; of those asked for, ${holding.join(', ')} can hold it` : ''
  throw new AwqError('UNSUPPORTED', `${refusals.join('. ')}${others}`)
}

/** Writes an open model in every format asked for, each whole or not at all; whether all can hold it is asked first. */
export const writeTargets = async (
  session: Session,
  model: PortableModel,
  targets: readonly Target[],
  { accuracy }: Pick<WriteValues, 'accuracy'>,
): Promise<Written[]> => {
  const { reporter, signal, context, command } = session
  const { checkHolds, writeModel } = await context.libraries.formats()
  const { openFolderWriter } = await context.libraries.formatFolders()
  await checkTargets(model, targets, checkHolds)
  const written: Written[] = []
  for (const target of targets) {
    const into = await openFolderWriter(target.path)
    const bytes = await writeModel(model, target.format, into, {
      signal,
      command,
      accuracy,
      onWarning: (message) => reporter.progress({ type: 'warning', message }),
      onProgress: ({ name, completed, total }) =>
        reporter.progress({ type: 'progress', stage: 'export', completed, total, message: name }),
    })
    written.push({ ...target, bytes })
  }
  return written
}

/** Reads a model of any format and writes it in those asked for. */
export const convertReference = async (
  session: Session,
  reference: string,
  targets: readonly Target[],
  options: CommonValues & WriteValues,
): Promise<void> => {
  const { reporter, signal, context } = session
  const started = context.now()
  const library = await context.libraries.formats()
  const names = targets.map(({ format }) => format)
  checkFormats(library, names)
  checkAccuracy(library, names, options.accuracy)
  const folder = await findAnyModel(session, reference, options)
  if (!options.skipHashes) await verifyFolder(session, folder)
  await using model = await library.openPortable(folder, {
    signal,
    onWarning: (message) => reporter.progress({ type: 'warning', message }),
  })
  const outputs = await writeTargets(session, model, targets, options)
  const seconds = (context.now() - started) / 1000
  reporter.event({ type: 'done', input: model.format, outputs, seconds })
  reporter.print(
    ...outputs.map(({ format, path, bytes }) => `${path}: ${format} from ${model.format}, ${formatBytes(bytes)}`),
    `  time  ${formatSeconds(seconds)}`,
  )
}
