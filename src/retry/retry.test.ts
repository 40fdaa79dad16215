import { describe, expect, test } from '@jest/globals'
import { Rejected, RetryAfter, failureHeaders, retrying } from './index.ts'
import type { Delivery, Headers, Payload, Producer } from './index.ts'

const aPayload = (headers: Headers = {}, topic = 'orders'): Payload => ({
  topic,
  partition: 3,
  message: { key: Buffer.from('k'), value: Buffer.from('v'), headers, offset: '17', timestamp: '1700000000000' },
})

function recorder(): { readonly sent: Parameters<Producer['send']>[0][]; readonly producer: Producer } {
  const sent: Parameters<Producer['send']>[0][] = []
  return { sent, producer: { send: record => Promise.resolve(sent.push(record)) } }
}

const run = (producer: Producer, payload: Payload, handle: (delivery: Delivery) => void | Promise<void>): Promise<void> =>
  retrying({ source: 'orders', group: 'billing', pipeline: 'shop.pay', handle }).eachMessage(producer)(payload)

describe('retrying', () => {
  test('should read the source and what comes back', () => {
    const { topics } = retrying({ source: 'orders', group: 'billing', pipeline: 'shop.pay', handle: () => undefined })
    expect(topics).toEqual(['orders', 'shop.pay.redelivery'])
  })

  test('should hand over nothing of what was handled', async () => {
    const { sent, producer } = recorder()
    const deliveries: Delivery[] = []
    await run(producer, aPayload(), delivery => void deliveries.push(delivery))
    await run(producer, aPayload({ 'sluice-attempt': Buffer.from('3') }), delivery => void deliveries.push(delivery))
    expect(deliveries.map(({ attempt }) => attempt)).toEqual([1, 3])
    expect(sent).toEqual([])
  })

  test('should hand over what failed whole, with the failure and the origin', async () => {
    const { sent, producer } = recorder()
    await run(producer, aPayload({ mine: ['a', 'b'] }), () => {
      throw Object.assign(new TypeError('no total'), { code: 'E_TOTAL' })
    })
    expect(sent).toMatchObject([
      {
        topic: 'shop.pay.retry',
        messages: [
          {
            key: Buffer.from('k'),
            value: Buffer.from('v'),
            headers: {
              mine: ['a', 'b'],
              'sluice-error-class': 'TypeError',
              'sluice-error-message': 'no total',
              'sluice-error-code': 'E_TOTAL',
              'sluice-error-stack': expect.stringContaining('no total'),
              'sluice-origin-topic': 'orders',
              'sluice-origin-partition': '3',
              'sluice-origin-offset': '17',
              'sluice-origin-timestamp': '1700000000000',
              'sluice-origin-group': 'billing',
            },
          },
        ],
      },
    ])
  })

  test('should throw on when the failure cannot be handed over', async () => {
    const producer: Producer = { send: () => Promise.reject(new Error('no broker')) }
    const failing = run(producer, aPayload(), () => Promise.reject(new Error('x')))
    await expect(failing).rejects.toThrow('no broker')
  })
})

describe('the headers of a failure', () => {
  test('should keep attempt, deadline and origin of a redelivered record and nothing of the last failure', () => {
    const carried = {
      'sluice-attempt': Buffer.from('2'),
      'sluice-retry-deadline': Buffer.from('9'),
      'sluice-origin-topic': Buffer.from('orders'),
      'sluice-origin-offset': Buffer.from('5'),
    }
    const last = {
      'sluice-error-class': Buffer.from('Old'),
      'sluice-error-code': Buffer.from('OLD'),
      'sluice-error-fingerprint': Buffer.from('f'),
    }
    const headers = failureHeaders(aPayload({ ...carried, ...last }, 'shop.pay.redelivery'), new Error('new'), 'billing')
    expect(headers).toMatchObject({ ...carried, 'sluice-error-class': 'Error', 'sluice-error-message': 'new' })
    expect(Object.keys(headers)).not.toContain('sluice-error-code')
    expect(Object.keys(headers)).not.toContain('sluice-error-fingerprint')
  })

  test.each([
    { thrown: new Rejected('no such customer'), want: { 'sluice-disposition': 'rejected', 'sluice-error-class': 'Rejected' } },
    { thrown: new RetryAfter('30s', 'busy'), want: { 'sluice-retry-after': '30s', 'sluice-error-class': 'RetryAfter' } },
    { thrown: new RetryAfter(1500, 'busy'), want: { 'sluice-retry-after': '1500' } },
    { thrown: 'text', want: { 'sluice-error-class': 'string', 'sluice-error-message': 'text' } },
    { thrown: undefined, want: { 'sluice-error-class': 'undefined', 'sluice-error-message': 'undefined' } },
  ])('should say what was thrown: $thrown', ({ thrown, want }) => {
    expect(failureHeaders(aPayload(), thrown, 'billing')).toMatchObject(want)
  })

  test('should bound what it writes of an error', () => {
    const error = new Error('m'.repeat(100_000))
    const total = Object.values(failureHeaders(aPayload(), error, 'g')).reduce<number>((sum, value) => sum + String(value).length, 0)
    expect(total).toBeLessThan(16_384)
  })
})
