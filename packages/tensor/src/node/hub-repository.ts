/** A repository of the hub. */
export interface HubRepository {
  readonly type: 'model' | 'dataset'
  /** `ORG/NAME`. */
  readonly name: string
}

/** A file as the hub lists it. */
export interface HubFile {
  readonly path: string
  readonly size: number
  /** Git's object id. */
  readonly oid: string
  /** Of the content, for files kept outside git. */
  readonly sha256?: string
}
