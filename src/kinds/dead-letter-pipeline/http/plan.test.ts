import { describe, expect, test } from '@jest/globals'
import type { Observed } from '../../../operator/observed.ts'
import type { PipelineConfig } from '../config.ts'
import { kind } from '../index.ts'
import type { DeadLetterPipeline, DeadLetterPipelineSpec } from '../resource.ts'
import { encodeNote } from './note.ts'
import type { Note } from './note.ts'

const aPipeline = (more: Partial<DeadLetterPipelineSpec> = {}, name = 'billing'): DeadLetterPipeline => ({
  apiVersion: 'sluice.dev/v1alpha1',
  kind: 'DeadLetterPipeline',
  metadata: { name, namespace: 'shop', generation: 1 },
  spec: {
    connectionRef: { name: 'main' },
    source: { topic: 'orders', group: 'billing' },
    delivery: { http: { url: 'https://app:8443/orders?token=secret' } },
    ...more,
  },
})
const topic = (name: string, partitions: number) =>
  [name, { name, partitions, replicationFactor: 1, internal: false, configs: new Map() }] as unknown as [
    string,
    Observed['topics'] extends ReadonlyMap<string, infer View> ? View : never,
  ]
const seen = (notes: readonly Partial<Note>[] = [], siblings: readonly DeadLetterPipeline[] = []): Observed => ({
  now: 0,
  connection: { ref: { kind: 'KafkaConnection', namespace: 'shop', name: 'main' }, defaults: { replicationFactor: 1 }, probe: undefined },
  topics: new Map([topic('orders', 5)]),
  vanishing: new Set(),
  siblings,
  answers: new Map(),
  readings: {
    positions: notes.map((note, partition) => ({
      topic: 'orders',
      partition,
      offset: 1,
      note: encodeNote({ condition: 'well', lastError: '', blocked: 0, full: false, finished: '', ...note }),
    })),
  },
})
const configOf = (pipeline: DeadLetterPipeline): PipelineConfig => kind.plan(pipeline, seen()).workers?.config as PipelineConfig

describe('the plan of a pipeline that calls', () => {
  test('should consume as the group of the application', () => {
    expect(kind.plan(aPipeline(), seen()).workers).toMatchObject({ group: 'billing' })
    expect(kind.plan(aPipeline({ delivery: { topic: {} } }), seen()).workers).toMatchObject({ group: 'sluice.shop.billing.dlp' })
  })

  test('should tell the workers where to call, with files for credentials', () => {
    const http = {
      url: 'https://app:8443/orders',
      timeout: '2s',
      maxInFlight: 7,
      headersSecretRef: { name: 'headers' },
      tls: { caSecretRef: { name: 'tls', key: 'ca.crt' }, clientCertificateSecretRef: { name: 'client' } },
    }
    const pipeline = aPipeline({ delivery: { http } })
    expect(configOf(pipeline).http).toEqual({
      source: 'orders',
      target: {
        url: 'https://app:8443/orders',
        timeoutMs: 2_000,
        maxInFlight: 7,
        headersFolder: 'headers',
        tls: { caFile: 'tls/ca.crt', certificateFile: 'client/tls.crt', keyFile: 'client/tls.key' },
      },
    })
    expect(kind.plan(pipeline, seen()).workers?.secrets).toEqual([
      { name: 'headers', keys: [] },
      { name: 'tls', keys: ['ca.crt'] },
      { name: 'client', keys: ['tls.crt', 'tls.key'] },
    ])
  })

  test.each([
    { breaker: {}, want: { failureRatio: 0.5, consecutiveFailures: 20, minimum: 20, windowMs: 30_000, probeIntervalMs: 5_000 } },
    {
      breaker: { failureRatio: '0.2', minimum: 5, window: '1m', probeInterval: '1s' },
      want: { failureRatio: 0.2, consecutiveFailures: 5, minimum: 5, windowMs: 60_000, probeIntervalMs: 1_000 },
    },
    { breaker: { consecutiveFailures: 3 }, want: { consecutiveFailures: 3, minimum: 20, windowMs: 30_000, probeIntervalMs: 5_000 } },
  ])('should read the breaker $breaker', ({ breaker, want }) => {
    expect(configOf(aPipeline({ breaker })).http?.breaker).toEqual(want)
  })

  test('should note what waits in a topic with the partitions of the source, with order only', () => {
    const ordered = kind.plan(aPipeline({ ordering: 'Key' }), seen())
    expect(ordered.topics.find(({ name }) => name === 'shop.billing.waiting')).toMatchObject({
      create: { partitions: 5 },
      partitions: 5,
      configs: { 'cleanup.policy': 'compact' },
      owned: true,
    })
    expect(kind.plan(aPipeline(), seen()).topics.map(({ name }) => name)).not.toContain('shop.billing.waiting')
    expect(kind.deletes?.(aPipeline({ ordering: 'Key' }))).toContain('shop.billing.waiting')
  })

  test('should not share its group with another one that calls', () => {
    const other = aPipeline({ source: { topic: 'others', group: 'billing' }, topicPrefix: 'x' }, 'other')
    expect(kind.plan(aPipeline(), seen([], [other])).problems).toMatchObject([
      { severity: 'Stalled', reason: 'InvalidSpec', message: expect.stringContaining('shop/other') },
    ])
    const reading = { ...other, spec: { ...other.spec, delivery: { topic: {} } } }
    expect(kind.plan(aPipeline(), seen([], [reading])).problems).toEqual([])
  })

  test.each([
    { notes: [{}, {}], reasons: [], breaker: 'Closed' },
    { notes: [{}, { condition: 'open' as const, lastError: 'http.refused' }], reasons: ['BreakerOpen'], breaker: 'Open' },
    { notes: [{ condition: 'failing' as const, lastError: 'http.503' }], reasons: ['CallsFailing'], breaker: 'Closed' },
    { notes: [{ condition: 'forbidden' as const, lastError: 'http.address-forbidden' }], reasons: ['AddressForbidden'], breaker: 'Closed' },
    { notes: [{ full: true }, {}], reasons: ['OrderingFull'], breaker: 'Closed' },
    { notes: [], reasons: [], breaker: undefined },
  ])('should say how the calls go: $reasons', ({ notes, reasons, breaker }) => {
    const { problems, status } = kind.plan(aPipeline({ breaker: { failureRatio: '0.5' } }), seen(notes))
    expect(problems.map(({ reason }) => reason)).toEqual(reasons)
    expect(status.breaker).toBe(breaker)
    expect(JSON.stringify(problems)).not.toContain('token')
  })
})
