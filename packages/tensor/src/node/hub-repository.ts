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

/** Whether `name` can be the id of a repository: `ORG/NAME` of letters, digits, `.`, `_`, `-`. */
export function isHubId(name: string): boolean {
  return /^[A-Za-z0-9][\w.-]{0,95}\/[A-Za-z0-9_][\w.-]{0,95}$/.test(name) && !/--|\.\./.test(name)
}
