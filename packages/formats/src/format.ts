/**
 * A format is a row of a table: how a folder of it is recognised, read and written.
 * @module
 */
import type { Accuracy } from '@awq/runtime'
import type { Folder } from '@awq/tensor'
import type { FolderWriter } from './folder/writer.ts'
import type { ModelForms } from './matrix-kinds.ts'
import type { PortableModel, ReadOptions } from './model.ts'

/** How far a write has come. */
export interface WriteProgress {
  /** The parameter that was written last. */
  readonly name: string
  readonly completed: number
  readonly total: number
}

/** Options of writing a model. */
export interface WriteOptions extends ReadOptions {
  readonly onProgress?: ((progress: WriteProgress) => void) | undefined
  /**
   * Formats that say how products are computed: `fast` (the default) rounds activations to 8 bits where the engine can,
   * `exact` does not. What our own runtime takes when it loads a model.
   */
  readonly accuracy?: Accuracy | undefined
  /** The command or call that asked for it: the model card and the provenance say so. */
  readonly command?: string | undefined
}

/** A checkpoint format. */
export interface Format {
  /** What `--format` calls it. */
  readonly name: string
  /** One line: who reads it. */
  readonly title: string
  /** How its readers take it: Markdown for the model card, with a fenced example; `OUT` stands for the folder. */
  readonly usage?: string | undefined
  /** Whether it is a graph that says how products are computed, so that `WriteOptions.accuracy` decides something. */
  readonly takesAccuracy?: true | undefined
  /** Whether it has a place for how a model sees; without one the language model alone is written, and a warning says so. */
  readonly sees?: true | undefined
  /**
   * Whether a folder holds this format, told by its files' content and config.json, never by its name. Absent where the
   * format is only written.
   */
  readonly recognise?: (folder: Folder) => Promise<boolean>
  /**
   * Opens a folder of this format.
   * @throws AwqError INVALID_FILE or CONFIG naming the tensor, UNSUPPORTED for what can not be held
   */
  readonly read?: (folder: Folder, options?: ReadOptions) => Promise<PortableModel>
  /**
   * Why this format cannot hold a model, one line for each reason, with the parameter it concerns; empty when it can.
   * Called before anything is written. Absent where the format is only read.
   */
  readonly problems?: (model: PortableModel) => string[] | Promise<string[]>
  /**
   * How it stores the parameters of a model that it can hold, for the model card; absent where as they are. Tables become
   * floats in some, codes wider ones.
   */
  readonly forms?: ((model: PortableModel) => ModelForms['parameters']) | undefined
  /** Writes all files; the caller commits or discards them. */
  readonly write?: (model: PortableModel, into: FolderWriter, options?: WriteOptions) => Promise<void>
}
