import type { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-web'

/**
 * The part of ONNX Runtime's JavaScript API that the seam uses. onnxruntime-node and onnxruntime-web share it; their
 * own types are kept out of the public ones, because each of the two packages may be absent.
 */
export interface RuntimeApi {
  readonly InferenceSession: {
    create(model: Uint8Array, options: InferenceSession.SessionOptions): Promise<InferenceSession>
  }
  readonly Tensor: new (type: string, data: unknown, dims: readonly number[]) => OrtTensor
  readonly env: {
    logLevel?: 'verbose' | 'info' | 'warning' | 'error' | 'fatal'
    readonly wasm?: { numThreads?: number; wasmPaths?: string | object; proxy?: boolean }
  }
}

export type RuntimeSession = InferenceSession
export type RuntimeSessionOptions = InferenceSession.SessionOptions
export type RuntimeTensor = OrtTensor
