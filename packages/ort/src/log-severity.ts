/**
 * The severity from which ONNX Runtime's own messages reach stderr: only those of errors that end the process. All others
 * reach the caller as exceptions.
 */
export const fatalSeverity = 4
