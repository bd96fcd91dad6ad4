/**
 * What ONNX Runtime's kernels of each device can do, where they differ: everything that graphs and runs are made by. Known of
 * version 1.30; the reasons are beside the facts.
 * @module
 */
import type { OnnxType } from '@awq/onnx'
import type { Device } from './types.ts'

/** Element types that a model's activations may have. */
type Activations = 'float32' | 'float16'

/** A kernel of the operator QMoE, which computes a whole mixture of experts. */
export interface MixtureKernel {
  /** Types of activations, and of scales with them. */
  readonly activations: readonly Activations[]
  /** Columns that share a scale. */
  readonly blockSizes: readonly number[]
  /** Takes zero points; without, codes are counted from the middle of their range. */
  readonly zeroPoints: boolean
  /** Rounds activations to 8 bits. */
  readonly rounds: boolean
  /** Widths of hidden and inner values are multiples of this. */
  readonly widthsOf: number
  /** Experts at most. */
  readonly mostExperts: number
  /** Right for a single token alone. */
  readonly oneToken: boolean
}

/** What kernels of a device can do. */
export interface DeviceKernels {
  /** They work in the memory that JavaScript's arrays are in. */
  readonly hostMemory: boolean
  /** Values may have no elements. WebGPU's kernels end the process over one; the other devices' were not tried. */
  readonly emptyValues: boolean
  /** Types of activations that GroupQueryAttention has a kernel for. */
  readonly fusedAttention: readonly Activations[]
  /** GroupQueryAttention needs no cache, so that it serves whole sequences too. */
  readonly fusedSequences: boolean
  /** Attention holds the scores of all tokens of a run at once. */
  readonly wholeScores: boolean
  /** Longer prompts are to be tried first: GroupQueryAttention counts keys twice where the device works in subgroups of 4. */
  readonly doubtfulPrompts: boolean
  /** Type of activations to serve with: float16 where attention has no kernel of float32. */
  readonly activations: Activations
  /** Types of tables that rows are looked up in (Gather); float16 where the engine has it. Others are converted at load. */
  readonly tables: readonly OnnxType[]
  /** Constants of bfloat16 can be converted, at load: onnxruntime-web's build for WebGPU has no kernel that does it. */
  readonly bfloat16: boolean
  /** Activations of float16 are faster, where the engine has them (`EngineFeatures.float16`). */
  readonly fasterHalves: boolean
  /** Bits of the narrowest codes that MatMulNBits takes. */
  readonly narrowestCodes: 2 | 4
  /** MatMulNBits unpacks a matrix of 8 bits at every exact product (0.1 s for a head of 49,152 x 576). */
  readonly slowEightBits: boolean
  /** The kernel of QMoE to use; null where there is none, or a slower one than expert by expert. */
  readonly mixture: MixtureKernel | null
}

const unknown: DeviceKernels = {
  hostMemory: false,
  emptyValues: false,
  fusedAttention: [],
  fusedSequences: false,
  wholeScores: false,
  doubtfulPrompts: false,
  activations: 'float32',
  tables: ['float32', 'float16', 'bfloat16', 'float64'],
  bfloat16: true,
  fasterHalves: false,
  narrowestCodes: 2,
  slowEightBits: false,
  mixture: null,
}

const kernels: Readonly<Record<Device, DeviceKernels>> = {
  cpu: {
    ...unknown,
    hostMemory: true,
    emptyValues: true,
    fusedAttention: ['float32', 'float16'],
    fusedSequences: true,
    wholeScores: true,
    slowEightBits: true,
  },
  webgpu: {
    ...unknown,
    fusedAttention: ['float32', 'float16'],
    doubtfulPrompts: true,
    tables: ['float32', 'float16'],
    bfloat16: false,
    fasterHalves: true,
    mixture: {
      activations: ['float32', 'float16'],
      blockSizes: [16, 32, 64, 128],
      zeroPoints: false,
      rounds: true,
      widthsOf: 1,
      // The gate has one invocation for each.
      mostExperts: 256,
      // With several, one token's workgroup clears the counts of tokens while those of others add to them.
      oneToken: true,
    },
  },
  cuda: {
    ...unknown,
    fusedAttention: ['float16'],
    activations: 'float16',
    narrowestCodes: 4,
    mixture: {
      activations: ['float16'],
      blockSizes: [32, 64, 128],
      zeroPoints: true,
      rounds: false,
      // Rows of a tile of its layout.
      widthsOf: 64,
      mostExperts: Number.POSITIVE_INFINITY,
      oneToken: false,
    },
  },
  coreml: unknown,
  directml: unknown,
}

/** What a device's kernels can do. */
export const kernelsOf = (device: Device): DeviceKernels => kernels[device]
