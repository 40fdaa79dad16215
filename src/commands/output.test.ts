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
