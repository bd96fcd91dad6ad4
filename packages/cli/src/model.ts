import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { AwqError, type Folder } from '@awq/tensor'
import type { ImageDocument, TextDocument } from '@awq/text'
import type { Session } from './command.ts'
import { defined } from './defined.ts'
import type { Accuracy, AttentionForm, BatchOptions, EngineSettings, LanguageModel } from './libraries.ts'
import type { CommonValues } from './options.ts'
import { downloadStage } from './progress.ts'
import { shellQuote } from './shell-quote.ts'

/** The hub's options of a command, with downloads shown as progress. */
const hubOptions = ({ reporter, signal }: Session, { cacheDir, token }: CommonValues) => ({
  ...defined({ cacheDir, token }),
  signal,
  onProgress: ({ file, loaded, total }: { file: string; loaded: number; total: number }) =>
    reporter.progress({ type: 'progress', stage: downloadStage, completed: loaded, total, message: file }),
})

/** The hub's options of a command, with the revision of its model. */
const downloadOptions = (session: Session, common: CommonValues) => ({
  ...hubOptions(session, common),
  ...defined({ revision: common.revision }),
})

/** The folder of a model argument that is to run; a hub id is downloaded, with progress. */
export const findModel = async (session: Session, reference: string, common: CommonValues): Promise<Folder> => {
  if (isFile(reference)) {
    const folder = await findAnyModel(session, reference, common)
    await refuseForeign(session, reference, folder)
    return folder
  }
  const { resolveModel } = await session.context.libraries.tensor()
  const folder = await resolveModel(reference, downloadOptions(session, common))
  await refuseUnfinished(folder, session.context.program)
  if (await looksForeign(folder)) await refuseForeign(session, reference, folder)
  return folder
}

/** The folder of a model argument of any format; a path to one file (`model.gguf`) is a folder with that file alone. */
export const findAnyModel = async (session: Session, reference: string, common: CommonValues): Promise<Folder> => {
  const { openModelFolder } = await session.context.libraries.formatFolders()
  const folder = await openModelFolder(reference, downloadOptions(session, common))
  await refuseUnfinished(folder, session.context.program)
  return folder
}

const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false

/** Whether a folder is worth asking the formats, which take a moment to load. */
const looksForeign = async (folder: Folder): Promise<boolean> => {
  const files = await folder.list()
  if (files.length === 0 || files.includes('quantization.json')) return false
  if (!files.includes('config.json') || !files.some((file) => file.endsWith('.safetensors'))) return true
  const config = await folder.readText('config.json').catch(() => '')
  return config.includes('"quantization_config"') || files.some((file) => /^quant(ize)?_config\.json$/.test(file))
}

/** What runs is our store and float checkpoints; any other format is named, with the command that converts it. */
const refuseForeign = async (session: Session, reference: string, folder: Folder): Promise<void> => {
  const { recogniseFormat } = await session.context.libraries.formats()
  const format = await recogniseFormat(folder)
  if (!format || ['awq', 'float'].includes(format.name)) return
  const command = `${session.context.program} convert ${shellQuote(reference)} -o OUT`
  const advice = format.read ? `convert it first: ${command}` : 'take the model it was made from'
  throw new AwqError('UNSUPPORTED', `${reference} is in the format ${format.name} (${format.title}); ${advice}`)
}

/** Where a command was interrupted there is no model yet: said here, not as "has no config.json". */
const refuseUnfinished = async ({ name, path }: Folder, program: string): Promise<void> => {
  if (path !== undefined && existsSync(join(path, '.awq-writing', 'commit.json')))
    throw new AwqError('INVALID_FILE', `${name} holds half of a model: its command was stopped; repeat that command`)
  if (path === undefined || !existsSync(join(path, '.awq-partial')) || existsSync(join(path, 'config.json'))) return
  const advice = `repeat its ${program} quantize command with --resume`
  throw new AwqError('NOT_FOUND', `${name} holds an unfinished quantization, not yet a model; ${advice}`)
}

/** Holds a folder's files to the hashes that are written down, with progress. */
export const verifyFolder = async ({ context, reporter, signal }: Session, folder: Folder): Promise<void> => {
  const { checkFiles } = await context.libraries.formats()
  await checkFiles(folder, {
    signal,
    onProgress: ({ file, completed, total }) =>
      reporter.progress({ type: 'progress', stage: 'verify', completed, total, message: file }),
  })
}

/** The engine that a command line asks for; why it is another one is shown as a warning. */
export const engineSettings = ({ reporter }: Session, { device, threads, engine }: CommonValues): EngineSettings => ({
  ...defined({ threads, engine }),
  device,
  onWarning: (message) => reporter.progress({ type: 'warning', message }),
})

/** Finds and loads a model that generates. */
export const loadReference = async (
  session: Session,
  reference: string,
  common: CommonValues,
  accuracy: Accuracy,
): Promise<LanguageModel> => loadFolder(session, await findModel(session, reference, common), common, { accuracy })

/** How a model is loaded, as far as commands differ. */
export interface LoadSettings {
  readonly accuracy: Accuracy
  readonly attention?: AttentionForm
  readonly contextLength?: number
  /** Whether idle threads wait by spinning. */
  readonly spin?: boolean
  readonly batch?: BatchOptions
}

/** Loads a folder's model that generates, with progress. */
export const loadFolder = async (
  session: Session,
  folder: Folder,
  common: CommonValues,
  options: LoadSettings,
): Promise<LanguageModel> => {
  const { loadModel } = await session.context.libraries.runtime()
  return await loadModel(folder, {
    ...engineSettings(session, common),
    ...options,
    signal: session.signal,
    onProgress: ({ stage }) => {
      if (stage === 'load') session.reporter.progress({ type: 'stage', stage })
    },
  })
}

const isImageDocument = (document: TextDocument): document is ImageDocument =>
  typeof document === 'object' && 'where' in document

/** The documents of a file or data set. */
export const openTexts = async (session: Session, reference: string, common: CommonValues) => {
  const { openText } = await session.context.libraries.text()
  return openText(reference, hubOptions(session, common))
}

/**
 * All text of a file or data set as one string, an empty line between records. Conversations are refused, since
 * perplexity needs plain text.
 */
export const readWholeText = async (session: Session, reference: string, common: CommonValues): Promise<string> => {
  let text = ''
  for await (const document of await openTexts(session, reference, common)) {
    if (isImageDocument(document))
      throw new AwqError('INVALID_FILE', `${document.where} has images; awq eval --prompts measures on those`)
    if (typeof document !== 'string') {
      const advice = '--text needs plain text (a .txt file, or records with a text field)'
      throw new AwqError('INVALID_FILE', `${reference} holds conversations; ${advice}`)
    }
    // A long plain file comes in pieces that were cut before a line end: those belong together as they are.
    text += text === '' || document.startsWith('\n') ? document : `\n\n${document}`
  }
  if (text.trim() === '') throw new AwqError('INVALID_FILE', `${reference} holds no text`)
  return text
}
