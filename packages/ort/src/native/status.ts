import { AwqError } from '@awq/tensor'
import type { Status } from './native-types.ts'
import type { RuntimeLibrary } from './runtime-library.ts'

/** OrtErrorCode's names, by number. */
const codes = [
  'OK',
  'FAIL',
  'INVALID_ARGUMENT',
  'NO_SUCHFILE',
  'NO_MODEL',
  'ENGINE_ERROR',
  'RUNTIME_EXCEPTION',
  'INVALID_PROTOBUF',
  'MODEL_LOADED',
  'NOT_IMPLEMENTED',
  'INVALID_GRAPH',
  'EP_FAIL',
  'MODEL_LOAD_CANCELED',
  'MODEL_REQUIRES_COMPILATION',
  'NOT_FOUND',
  'DEVICE_RESET',
]

/** Reads what went wrong and frees the status; undefined when nothing did. */
export function takeFailure({ api }: RuntimeLibrary, status: Status): { code: string; message: string } | undefined {
  if (status === null) return undefined
  const number = api.GetErrorCode(status)
  const message = api.GetErrorMessage(status) ?? ''
  api.ReleaseStatus(status)
  return { code: codes[number] ?? `code ${number}`, message }
}

/**
 * Throws `ENGINE` with ONNX Runtime's code and words when a call failed, and frees the status.
 * @param task what the call was to do: `load the graph`
 */
export function check(library: RuntimeLibrary, status: Status, task: string): void {
  const failure = takeFailure(library, status)
  if (failure) {
    throw new AwqError('ENGINE', `ONNX Runtime could not ${task}: ${failure.message} (ORT ${failure.code})`)
  }
}
