/**
 * Which folders of the user's disk there is unfinished work for. Two folders may have the same name; only their handles, which
 * IndexedDB keeps, tell whether one is the other.
 * @module
 */
import { onStorage } from '@awq/tensor/browser'

const DATABASE = 'awq-outputs'
const STORE = 'folders'

const settled = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })

const ended = (transaction: IDBTransaction): Promise<void> =>
  new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve()
    transaction.onabort = () => reject(transaction.error)
  })

/** Asks the store for something; what was written is there when the promise resolves. */
const ask = async <T>(mode: IDBTransactionMode, request: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> => {
  const opening = indexedDB.open(DATABASE, 1)
  opening.onupgradeneeded = () => opening.result.createObjectStore(STORE)
  const database = await settled(opening)
  try {
    const transaction = database.transaction(STORE, mode)
    const end = ended(transaction)
    const result = await settled(request(transaction.objectStore(STORE)))
    await end
    return result
  } finally {
    database.close()
  }
}

/** The id under which work for a folder lies; undefined where there is none. */
export const findFolderId = (directory: FileSystemDirectoryHandle): Promise<string | undefined> =>
  onStorage(directory.name, async () => {
    const ids = (await ask('readonly', (store) => store.getAllKeys())) as string[]
    for (const id of ids) {
      const known = (await ask('readonly', (store) => store.get(id))) as FileSystemDirectoryHandle | undefined
      if (known && (await known.isSameEntry(directory))) return id
    }
    return undefined
  })

/** The same; a folder that is not known gets one. */
export const folderId = (directory: FileSystemDirectoryHandle): Promise<string> =>
  navigator.locks.request('awq:folders', async () => {
    const known = await findFolderId(directory)
    if (known !== undefined) return known
    const id = crypto.randomUUID()
    await onStorage(directory.name, () => ask('readwrite', (store) => store.put(directory, id)))
    return id
  })

/** Forgets a folder that there is no work for any more. */
export const forgetFolder = async (id: string): Promise<void> => {
  await onStorage('a chosen folder', () => ask('readwrite', (store) => store.delete(id)))
}
