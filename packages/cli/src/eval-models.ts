import type { Engine } from '@awq/ort'
import type { Folder } from '@awq/tensor'
import type { Session } from './command.ts'
import { defined } from './defined.ts'
import { engineSettings, findModel } from './model.ts'
import type { CommonValues } from './options.ts'

/** The folders of a model and its reference, and what they run on; disposing ends the engine. */
export interface EvaluatedModels extends AsyncDisposable {
  readonly model: Folder
  readonly against?: Folder
  readonly engine: Engine
}

/** Finds, or downloads, the model and its reference, and starts an engine. */
export const findEvaluatedModels = async (
  session: Session,
  reference: string,
  options: CommonValues & { readonly against: string | undefined },
): Promise<EvaluatedModels> => {
  const model = await findModel(session, reference, options)
  // The revision is the model's.
  const against =
    options.against === undefined
      ? undefined
      : await findModel(session, options.against, { ...options, revision: undefined })
  const { createEngine } = await session.context.libraries.ort()
  const engine = await createEngine(engineSettings(session, options))
  return { model, ...defined({ against }), engine, [Symbol.asyncDispose]: async () => engine.dispose() }
}
