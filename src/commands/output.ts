import { Option } from 'commander'
import { dump } from 'js-yaml'

export type Format = 'table' | 'json' | 'yaml'

export const outputOption = (): Option =>
  new Option('-o, --output <format>', 'how to print').choices(['table', 'json', 'yaml']).default('table')

/** A table for people: one heading per column; numbers stand at the right. */
export interface Table {
  readonly columns: readonly Column[]
  readonly rows: readonly (readonly Cell[])[]
}
export interface Column {
  readonly heading: string
  readonly align?: 'left' | 'right'
}
/** undefined: not known, or does not apply. */
export type Cell = string | number | undefined

/** Answer of a command: data for machines, and its tables and remarks for people. */
export interface Answer {
  readonly data: unknown
  readonly text: readonly (string | Table)[]
}

export function print(answer: Answer, format: Format, write: (text: string) => void = text => process.stdout.write(text)): void {
  switch (format) {
    case 'json':
      write(`${JSON.stringify(answer.data, undefined, 2)}\n`)
      break
    case 'yaml':
      write(dump(JSON.parse(JSON.stringify(answer.data)), { lineWidth: 140, noRefs: true }))
      break
    case 'table':
      write(`${answer.text.map(part => (typeof part === 'string' ? part : renderTable(part))).join('\n\n')}\n`)
      break
    default:
      format satisfies never
  }
}

/** Columns two spaces apart, no trailing blanks. */
export function renderTable({ columns, rows }: Table): string {
  const cells = rows.map(row => columns.map((_, i) => shown(row[i])))
  const widths = columns.map(({ heading }, i) => Math.max(heading.length, ...cells.map(row => (row[i] ?? '').length)))
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => (columns[i]?.align === 'right' ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
      .join('  ')
      .trimEnd()
  return [line(columns.map(column => column.heading)), ...cells.map(line)].join('\n')
}

const shown = (cell: Cell): string => (cell === undefined ? '-' : harmless(String(cell)))

/** A terminal obeys control characters, and records hold whatever strangers wrote. Lines and tabs stay. */
export const harmless = (text: string): string => text.replace(/[^\P{Cc}\n\t]|\p{Bidi_Control}/gu, '\u00b7')
