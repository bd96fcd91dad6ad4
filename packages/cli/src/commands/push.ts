import { AwqError } from '@awq/tensor'
import { defineCommand } from '../command.ts'
import { defined } from '../defined.ts'
import { formatBytes, formatSeconds, plural } from '../format.ts'
import { findAnyModel, verifyFolder } from '../model.ts'
import { flag, optional } from '../options.ts'
import { anyText } from '../values.ts'

export const pushCommand = defineCommand({
  name: 'push',
  summary: 'Upload a model folder to the hub',
  positionals: [
    { name: 'MODEL', description: 'A local folder, of any format' },
    { name: 'REPOSITORY', description: 'Where to, such as your-name/smollm2-4bit; made if it is not there' },
  ],
  options: {
    private: flag('Make the repository a private one when it has to be made'),
    message: optional('TEXT', anyText, 'What the commit is called'),
  },
  examples: ['HF_TOKEN=hf_... awq push smollm2-4bit your-name/SmolLM2-135M-4bit'],
  async run(session, [reference = '', repository = ''], options) {
    const { reporter, signal, context } = session
    const started = context.now()
    const folder = await findAnyModel(session, reference, options)
    if (folder.path === undefined || folder.origin !== undefined)
      throw new AwqError('INVALID_ARGUMENT', `${reference} is not a folder of this machine; give the folder to upload`)
    await verifyFolder(session, folder)
    const { pushToHub } = await context.libraries.tensor()
    const pushed = await pushToHub(folder.path, repository, {
      ...defined({ token: options.token, revision: options.revision, message: options.message }),
      ...(options.private ? { private: true } : {}),
      signal,
      onWarning: (message) => reporter.progress({ type: 'warning', message }),
      onProgress: ({ file, loaded, total }) =>
        reporter.progress({ type: 'progress', stage: 'upload', completed: loaded, total, message: file }),
    })
    const seconds = (context.now() - started) / 1000
    reporter.event({ type: 'done', ...pushed, seconds })
    reporter.print(
      pushed.url,
      `  ${plural(pushed.files.length, 'file')}, ${formatBytes(pushed.bytes)}, in ${formatSeconds(seconds)}`,
    )
  },
})
