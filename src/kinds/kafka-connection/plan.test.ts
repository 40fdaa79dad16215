import { describe, expect, test } from '@jest/globals'
import type { ConnectionView, Observed, Probe } from '../../operator/observed.ts'
import { plan } from './plan.ts'

const observed = (probe: Probe | undefined): Observed => {
  const connection: ConnectionView = {
    ref: { kind: 'KafkaConnection', namespace: 'shop', name: 'main' },
    defaults: { replicationFactor: 3 },
    probe,
  }
  return { now: 0, connection, topics: new Map(), vanishing: new Set(), siblings: [], answers: new Map() }
}
const failed = (code: Extract<Probe, { ok: false }>['code']): Probe => ({ ok: false, at: 0, code, message: `because of ${code}` })

describe('plan of a connection', () => {
  test('should tell the cluster, its brokers and its features when the probe succeeded', () => {
    const features = { transactions: true, shareGroups: false, consumerProtocol: true }
    const cluster = { clusterId: 'abc', controllerId: 1, brokers: [{ id: 1, host: 'kafka', port: 9092 }], features }
    expect(plan(observed({ ok: true, at: 0, cluster }))).toEqual({
      topics: [],
      problems: [],
      status: { clusterId: 'abc', brokers: 1, features: ['transactions', 'consumer-protocol'] },
    })
  })

  test('should wait for the first answer', () => {
    expect(plan(observed(undefined)).problems).toMatchObject([{ severity: 'NotReady', reason: 'Probing' }])
  })

  test.each([
    { code: 'AuthenticationFailed', reason: 'AuthenticationFailed' },
    { code: 'AuthorizationFailed', reason: 'AuthorizationFailed' },
    { code: 'TlsFailed', reason: 'TlsFailed' },
    { code: 'UnknownHost', reason: 'UnknownHost' },
    { code: 'BrokerUnreachable', reason: 'BrokerUnreachable' },
    { code: 'Timeout', reason: 'BrokerUnreachable' },
    { code: 'Unsupported', reason: 'BrokerUnreachable' },
    { code: 'SecretMissing', reason: 'SecretNotFound' },
  ] as const)('should give $code the reason $reason, which may heal by itself', ({ code, reason }) => {
    expect(plan(observed(failed(code)))).toEqual({
      topics: [],
      problems: [{ severity: 'NotReady', reason, message: `because of ${code}` }],
      status: {},
    })
  })
})
