import { describe, expect, test } from '@jest/globals'
import type { LogHeader, LogRecord } from '../../../worker/task.ts'
import { firstDelivery, redelivery } from './delivery.ts'
import { requestOf } from './request.ts'

const SOURCE = { namespace: 'shop', name: 'billing', maxAttempts: 4 }
const aRecord = (headers: Readonly<Record<string, string | Buffer>> = {}, more: Partial<LogRecord> = {}): LogRecord => ({
  topic: 'orders',
  partition: 3,
  offset: 17,
  timestampMs: Date.UTC(2026, 0, 1),
  key: Buffer.from('k-1'),
  value: Buffer.from('{}'),
  headers: Object.entries(headers).map(([name, value]): LogHeader => [name, Buffer.from(value)]),
  ...more,
})
const headersOf = (record: LogRecord, isFirst = true): Readonly<Record<string, string>> =>
  Object.fromEntries(requestOf(isFirst ? firstDelivery(record, 'g') : redelivery(record, 'g'), SOURCE).headers)

describe('a request', () => {
  test('should be a CloudEvent in binary mode', () => {
    expect(headersOf(aRecord())).toEqual({
      'ce-specversion': '1.0',
      'ce-id': 'orders-3-17',
      'ce-source': '/sluice/shop/billing#orders',
      'ce-type': 'dev.sluice.record',
      'ce-time': '2026-01-01T00:00:00.000Z',
      'ce-partitionkey': 'k-1',
      'content-type': 'application/octet-stream',
      'idempotency-key': 'orders-3-17',
      'sluice-attempt': '1',
      'sluice-max-attempts': '4',
      'sluice-origin-topic': 'orders',
      'sluice-origin-partition': '3',
      'sluice-origin-offset': '17',
      'sluice-origin-timestamp': String(Date.UTC(2026, 0, 1)),
    })
  })

  test('should stay the event that it is', () => {
    const headers = headersOf(
      aRecord({ ce_specversion: '1.0', ce_id: 'A 1', ce_type: 'order', ce_source: '/x', ce_my: 'é', 'content-type': 'application/json' }),
    )
    expect(headers).toMatchObject({
      'ce-id': 'A%201',
      'ce-type': 'order',
      'ce-source': '/x',
      'ce-my': '%C3%A9',
      'content-type': 'application/json',
    })
    expect(headers['ce-time']).toBeUndefined()
    expect(headers['idempotency-key']).toBe('orders-3-17')
  })

  test('should leave an event whose body is all of it alone', () => {
    const headers = headersOf(aRecord({ 'content-type': 'application/cloudevents+json; charset=utf-8' }))
    expect(headers['content-type']).toBe('application/cloudevents+json; charset=utf-8')
    expect(Object.keys(headers).filter(name => name.startsWith('ce-'))).toEqual(['ce-partitionkey'])
  })

  test('should pass on the trace, and other headers under a name that cannot be mistaken', () => {
    const headers = headersOf(
      aRecord({ traceparent: '00-a-b-01', tracestate: 'x=y', Authorization: 'Bearer x', host: 'evil', own: 'a b"%' }),
    )
    expect(headers).toMatchObject({
      traceparent: '00-a-b-01',
      tracestate: 'x=y',
      'sluice-header-authorization': 'Bearer%20x',
      'sluice-header-host': 'evil',
      'sluice-header-own': 'a%20b%22%25',
    })
    expect(headers.authorization ?? headers.host).toBeUndefined()
  })

  test('should carry nothing that would end a line of HTTP', () => {
    const evil = 'a\r\nx-evil: 1'
    const { headers } = requestOf(
      firstDelivery(aRecord({ own: evil, [evil]: 'x', 'content-type': evil, ce_x: evil }, { key: Buffer.from(evil) }), 'g'),
      SOURCE,
    )
    expect(headers.filter(([name, value]) => /[\r\n]/.test(name + value))).toEqual([])
    expect(Object.fromEntries(headers)['sluice-headers-omitted']).toBe('1')
  })

  test('should bound its head', () => {
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`h${i}`, 'v'.repeat(500)]))
    const headers = headersOf(aRecord(many, { key: Buffer.alloc(100_000, 'k') }))
    expect(JSON.stringify(headers).length).toBeLessThan(8_192)
    expect(Number(headers['sluice-headers-omitted'])).toBeGreaterThan(80)
  })

  test.each([
    { key: null, want: {} },
    { key: Buffer.from([0xff, 0]), want: { 'sluice-key-base64': '/wA=' } },
    { key: Buffer.from('ü'), want: { 'ce-partitionkey': '%C3%BC' } },
  ])('should tell the key: $want', ({ key, want }) => {
    const headers = headersOf(aRecord({}, { key }))
    expect(Object.fromEntries(Object.entries(headers).filter(([name]) => name.includes('key') && name !== 'idempotency-key'))).toEqual(want)
  })

  test('should tell a null value from an empty one', () => {
    expect(headersOf(aRecord({}, { value: null }))['sluice-null-value']).toBe('true')
    expect(headersOf(aRecord({}, { value: Buffer.alloc(0) }))['sluice-null-value']).toBeUndefined()
  })

  test('should keep the key of the first delivery when it comes again', () => {
    const again = aRecord(
      {
        'sluice-attempt': '3',
        'sluice-origin-topic': 'orders',
        'sluice-origin-partition': '3',
        'sluice-origin-offset': '17',
        'sluice-origin-timestamp': '5',
        'sluice-first-failure-at': '7',
        'sluice-error-class': 'http.503',
      },
      { topic: 'shop.billing.redelivery', partition: 1, offset: 4 },
    )
    expect(headersOf(again, false)).toMatchObject({
      'idempotency-key': 'orders-3-17',
      'sluice-attempt': '3',
      'sluice-first-failure-at': '7',
      'sluice-error-class': 'http.503',
      'ce-source': '/sluice/shop/billing#orders',
    })
  })

  test('should not believe what a record of the source says of itself', () => {
    expect(
      headersOf(
        aRecord({ 'sluice-attempt': '9', 'sluice-origin-topic': 'other', 'sluice-origin-partition': '0', 'sluice-origin-offset': '0' }),
      ),
    ).toMatchObject({
      'idempotency-key': 'orders-3-17',
      'sluice-attempt': '1',
    })
  })
})
