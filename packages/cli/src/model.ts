import { AwqError, type Folder } from '@awq/tensor'
import type { Session } from './command.ts'
import type { Accuracy, LanguageModel } from './libraries.ts'
import type { CommonValues } from './options.ts'
import { downloadStage } from './progress.ts'

/** The folder of a model argument; a hub id is downloaded, with progress. */
export const findModel = async (session: Session, reference: string, common: CommonValues): Promise<Folder> => {
  const { resolveModel } = await session.context.libraries.tensor()
  return await resolveModel(reference, {
    signal: session.signal,
    onProgress: ({ file, loaded, total }) =>
      session.reporter.progress({ type: 'progress', stage: downloadStage, completed: loaded, total, message: file }),
    ...(common.revision === undefined ? {} : { revision: common.revision }),
    ...(common.cacheDir === undefined ? {} : { cacheDir: common.cacheDir }),
    ...(common.token === undefined ? {} : { token: common.token }),
  })
}

/** The device and threads of a command, with threads absent when not given. */
export const engineOptions = (common: CommonValues): { device: CommonValues['device']; threads?: number } => ({
  device: common.device,
  ...(common.threads === undefined ? {} : { threads: common.threads }),
})

/** Finds and loads a model that runs. */
export const openModel = async (
  session: Session,
  reference: string,
  common: CommonValues,
  options: { accuracy?: Accuracy; contextLength?: number } = {},
): Promise<LanguageModel> => {
  const folder = await findModel(session, reference, common)
  const { loadModel } = await session.context.libraries.runtime()
  const { signal } = session
  return await loadModel(folder, {
    ...engineOptions(common),
    ...options,
    signal,
    onProgress: (event) => session.reporter.progress(event),
  })
}

/** All text of a file or data set as one string; conversations are refused, since perplexity needs plain text. */
export const readWholeText = async (session: Session, reference: string): Promise<string> => {
  const { openText } = await session.context.libraries.text()
  const parts: string[] = []
  for await (const document of await openText(reference, { signal: session.signal })) {
    if (typeof document !== 'string') {
      throw new AwqError(
        'INVALID_FILE',
        `${reference} holds conversations; --text needs plain text (a .txt file, or rows with a text field)`,
      )
    }
    parts.push(document)
  }
  const text = parts.join('\n\n')
  if (text.trim() === '')
    throw new AwqError('INVALID_FILE', `${reference} holds no text; give --text a file with text in it`)
  return text
}
