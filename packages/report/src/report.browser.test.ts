import { expect, test } from 'vitest'
import { exampleRecord, hostileRecord } from './fixtures/record.ts'
import { renderReport } from './index.ts'

test('a browser reads the page as it is meant, whatever the names are', () => {
  for (const record of [exampleRecord(), hostileRecord()]) {
    const page = new DOMParser().parseFromString(renderReport(record), 'text/html')
    expect(page.querySelectorAll('script, img, iframe, link, a')).toHaveLength(0)
    expect(page.querySelectorAll('body > main > section')).toHaveLength(8)
    expect(page.querySelector('h1')!.textContent).toBe(record.model.name.replaceAll(/\0|\ud800/gu, '\ufffd'))
    for (const drawing of page.querySelectorAll('svg')) {
      expect(drawing.namespaceURI).toBe('http://www.w3.org/2000/svg')
      expect(drawing.querySelectorAll('path, rect').length).toBeGreaterThan(2)
    }
  }
})
