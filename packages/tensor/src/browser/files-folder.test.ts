import { describe, expect, test } from 'vitest'
import { filesFolder } from './files-folder.ts'

const file = (path: string, text = path): File => {
  const made = new File([text], path.split('/').at(-1)!)
  // A Node File has no such property; a browser's has it for files of a chosen directory.
  Object.defineProperty(made, 'webkitRelativePath', { value: path.includes('/') ? path : '' })
  return made
}

describe('files that were chosen', () => {
  test('one by one lie beside each other', async () => {
    const folder = filesFolder([file('config.json'), file('model.safetensors', 'weights')])
    expect(await folder.list()).toEqual(['config.json', 'model.safetensors'])
    expect([await folder.has('config.json'), await folder.has('tokenizer.json')]).toEqual([true, false])
    const source = await folder.open('model.safetensors')
    expect(await (await source.blob!(2, 3)).text()).toBe('igh')
    await expect(folder.open('tokenizer.json')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  test('of a directory: the model is where its config.json lies nearest to the top', async () => {
    const paths = ['all/readme.txt', 'all/model/sub/config.json', 'all/model/config.json', 'all/model/tokenizer.json']
    const folder = filesFolder(paths.map((path) => file(path)))
    expect(folder.name).toBe('model')
    expect(await folder.list()).toEqual(['config.json', 'tokenizer.json'])
    expect(await folder.readText('config.json')).toBe('all/model/config.json')
    expect(await folder.readText('sub/config.json')).toBe('all/model/sub/config.json')
  })

  test('none, and two of a name, are refused', () => {
    expect(() => filesFolder([])).toThrow(/no file was chosen/)
    expect(() => filesFolder([file('a.json'), file('a.json')])).toThrow(/two files are called "a.json"/)
  })
})
