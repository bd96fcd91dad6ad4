import { describe, expect, it } from 'vitest'
import { datasetFiles } from './dataset-files.ts'

const wikitext = ['2-raw-v1', '2-v1', '103-raw-v1'].flatMap((config) =>
  ['test', 'train', 'validation'].map((split) => `wikitext-${config}/${split}-00000-of-00001.parquet`),
)

describe('datasetFiles', () => {
  it.each([
    [
      ['README.md', '.gitattributes', ...wikitext],
      'wikitext-2-raw-v1',
      ['wikitext-2-raw-v1/train-00000-of-00001.parquet'],
    ],
    [wikitext, undefined, ['wikitext-103-raw-v1/train-00000-of-00001.parquet']],
    [wikitext, 'wikitext-2-v1/test-00000-of-00001.parquet', ['wikitext-2-v1/test-00000-of-00001.parquet']],
    [
      ['data/train-1.parquet', 'data/train-0.parquet', 'data/test-0.parquet'],
      undefined,
      ['data/train-0.parquet', 'data/train-1.parquet'],
    ],
    [['dataset_infos.json', 'README.md', 'val.jsonl'], undefined, ['val.jsonl']],
    [['train.json', 'extra.jsonl.gz'], undefined, ['extra.jsonl.gz']],
    [
      ['default/validation/0000.parquet', 'default/validation/0001.parquet'],
      undefined,
      ['default/validation/0000.parquet', 'default/validation/0001.parquet'],
    ],
    [['default/partial-train/0000.parquet'], undefined, ['default/partial-train/0000.parquet']],
    [['a.py', 'val.jsonl.zst', 'README.md', 'image.png'], undefined, []],
    [wikitext, 'elsewhere', []],
    [['notes.txt', 'constrain.txt'], undefined, ['constrain.txt', 'notes.txt']],
  ])('of %j with part %s are %j', (files, part, expected) => {
    expect(datasetFiles(files, part)).toEqual(expected)
  })
})
