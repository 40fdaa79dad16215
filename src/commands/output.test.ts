import { describe, expect, test } from '@jest/globals'
import type { Answer, Format } from './output.ts'
import { print, renderTable } from './output.ts'

describe('renderTable', () => {
  test('should align numbers to the right and show what is not known as a dash', () => {
    const table = {
      columns: [{ heading: 'TOPIC' }, { heading: 'LAG', align: 'right' as const }],
      rows: [['orders', 12345] as const, ['a', undefined] as const],
    }
    expect(renderTable(table)).toBe(['TOPIC     LAG', 'orders  12345', 'a           -'].join('\n'))
  })
})

test('should not let the text of a record command the terminal', () => {
  const table = { columns: [{ heading: 'KEY' }], rows: [['a\u001b[2Jb\u202e\tc']] }
  expect(renderTable(table)).toBe('KEY\na\u00b7[2Jb\u00b7\tc')
})

describe('print', () => {
  const answer: Answer = { data: { lag: 3, none: undefined }, text: ['a remark', { columns: [{ heading: 'LAG' }], rows: [[3]] }] }
  const printed = (format: Format): string => {
    let text = ''
    print(answer, format, part => (text += part))
    return text
  }

  test.each([
    { format: 'table', want: 'a remark\n\nLAG\n3\n' },
    { format: 'json', want: '{\n  "lag": 3\n}\n' },
    { format: 'yaml', want: 'lag: 3\n' },
  ] as const)('should print for $format', ({ format, want }) => {
    expect(printed(format)).toBe(want)
  })
})
