import { describe, expect, test } from '@jest/globals'
import { queueName } from './queue.ts'
import { shownKey } from '../../kafka/shown.ts'
import { parseWhen, shownDistance, shownRole } from './shown.ts'
import { latenessOf, parseWorkerUrl } from './workers.ts'

test.each([
  [Buffer.from('order-1'), 'order-1'],
  [null, undefined],
  [Buffer.from([0, 255]), expect.stringMatching(/^sha256:[0-9a-f]{12}$/)],
  [Buffer.from('with blank'), expect.stringMatching(/^sha256:/)],
  [Buffer.from('x'.repeat(61)), expect.stringMatching(/^sha256:/)],
])('should show a key that people can read, else a hash', (key, shown) => {
  expect(shownKey(key)).toEqual(shown)
})

test.each([
  [200_999, 'in 3m20s'],
  [-4_200, '4s ago'],
  [120, 'in 120ms'],
  [0, 'in 1ms'],
])('should tell %i ms as %s', (ms, text) => {
  expect(shownDistance(ms)).toBe(text)
})

test.each([
  ['in', 'in'],
  ['tier 64000', 'tier 1m4s'],
  ['fixed 300000', 'fixed 5m'],
])('should name %s as %s', (role, shown) => {
  expect(shownRole(role)).toBe(shown)
})

test('should take instants and durations from now', () => {
  expect(parseWhen('2030-01-31T09:30:00Z')).toBe(Date.UTC(2030, 0, 31, 9, 30))
  expect(parseWhen('1h')).toBeGreaterThan(Date.now() + 3_590_000)
  expect(() => parseWhen('soon')).toThrow('not an instant')
})

describe('the queue', () => {
  test('should be named by the argument or by two options', () => {
    expect(queueName('shop/pay', {})).toEqual({ namespace: 'shop', name: 'pay' })
    expect(queueName(undefined, { namespace: 'shop', name: 'pay' })).toEqual({ namespace: 'shop', name: 'pay' })
  })

  test.each([
    ['pay', {}],
    ['a/b/c', {}],
    ['/b', {}],
    [undefined, { name: 'pay' }],
    ['shop/pay', { name: 'pay' }],
  ])('should not be guessed from %s and %o', (argument, options) => {
    expect(() => queueName(argument, options)).toThrow('NAMESPACE/NAME')
  })
})

test('should read the lateness of one queue from the metrics of a worker', () => {
  const bucket = (queue: string, le: string, count: number) =>
    `sluice_delay_queue_lateness_seconds_bucket{le="${le}",queue="${queue}"} ${count}`
  const text = [
    bucket('shop/a', '0.005', 60),
    bucket('shop/a', '0.05', 99),
    bucket('shop/a', '+Inf', 100),
    bucket('shop/b', '+Inf', 7),
  ].join('\n')
  expect(latenessOf(text, 'shop/a')).toEqual({ delivered: 100, p50Seconds: 0.005, p99Seconds: 0.05 })
  expect(latenessOf(text, 'shop/none')).toBeUndefined()
})

test('should refuse what is not the address of a worker', () => {
  expect(parseWorkerUrl('http://127.0.0.1:8080/stats', ['http://a:1'])).toEqual(['http://a:1', 'http://127.0.0.1:8080'])
  for (const text of ['127.0.0.1:8080', 'ftp://a', 'x']) expect(() => parseWorkerUrl(text)).toThrow('--worker')
})
