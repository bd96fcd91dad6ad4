/** Places in OrtApi that were called and seen to be right on ONNX Runtime 1.30: the parser is checked against them. */
export const knownPlaces: Readonly<Record<string, number>> = {
  GetErrorMessage: 2,
  CreateEnv: 3,
  CreateSession: 7,
  CreateSessionFromArray: 8,
  Run: 9,
  CreateSessionOptions: 10,
  SetSessionGraphOptimizationLevel: 23,
  SetIntraOpNumThreads: 24,
  CreateTensorWithDataAsOrtValue: 49,
  CreateCpuMemoryInfo: 69,
  ReleaseValue: 96,
}
