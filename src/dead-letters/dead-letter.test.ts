import { expect, test } from '@jest/globals'
import type { LogHeader, LogRecord } from '../kafka/log.ts'
import { deadLetterOf, headersOf, payloadOf } from './dead-letter.ts'

const aRecord = (headers: readonly LogHeader[], value: Buffer | null = null): LogRecord => ({
  topic: 'dlq',
  partition: 2,
  offset: 7,
  timestampMs: Date.UTC(2026, 0, 1),
  key: Buffer.from('k'),
  value,
  headers,
})

test('should show headers as text where they are text, as numbers where Spring wrote numbers, else in Base64', () => {
  const offset = Buffer.alloc(8)
  offset.writeBigInt64BE(12_345n)
  const headers: readonly LogHeader[] = [
    ['region', Buffer.from('emea')],
    ['none', null],
    ['trace', Buffer.from([0xff, 0xfe])],
    ['kafka_dlt-original-partition', Buffer.from([0, 0, 0, 3])],
    ['kafka_dlt-original-offset', offset],
  ]
  expect(headersOf(aRecord(headers))).toEqual([
    { name: 'region', value: 'emea' },
    { name: 'none', value: null },
    { name: 'trace', valueBase64: '//4=' },
    { name: 'kafka_dlt-original-partition', value: '\u0000\u0000\u0000\u0003', number: '3' },
    expect.objectContaining({ number: '12345' }),
  ])
})

test('should tell of a dead letter without its payload', () => {
  const record = aRecord([['sluice-error-class', Buffer.from('Timeout')]], Buffer.from('the payload'))
  expect(deadLetterOf(record, 'Discard')).toMatchObject({ partition: 2, offset: 7, key: 'k', class: 'Timeout', handled: 'Discard' })
  expect(JSON.stringify(deadLetterOf(record, undefined))).not.toContain('the payload')
  expect(payloadOf(record)).toEqual({ key: 'k', value: 'the payload' })
})
