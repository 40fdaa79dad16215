import { describe, expect, test } from '@jest/globals'
import { refOf, type Resource } from '../api/resource.ts'
import type { WorkerDeployment } from '../operator/ports.ts'
import { semanticallyEqual } from './equality.ts'
import { ownerOf } from './ownership.ts'
import { workerObjects, type WorkerImage } from './worker-objects.ts'

const owner: Resource = {
  apiVersion: 'sluice.dev/v1alpha1',
  kind: 'DelayQueue',
  metadata: { namespace: 'shop', name: 'pay', uid: 'u-1' },
  spec: {},
}
const image: WorkerImage = { image: 'sluice:1', pullPolicy: 'Always', pullSecrets: [] }
const workers = (changes: Partial<WorkerDeployment> = {}): WorkerDeployment => ({
  of: refOf(owner),
  owners: [owner],
  name: 'dq-pay',
  replicas: 3,
  contract: {
    version: 1,
    generation: 4,
    namespace: 'shop',
    group: 'shop.pay',
    connection: { bootstrapServers: ['kafka:9092'] },
    resources: [],
    memoryBudgetBytes: 1,
  },
  secrets: [],
  secretsHash: 'h',
  ...changes,
})
const objects = (changes: Partial<WorkerDeployment> = {}) => workerObjects(workers(changes), image)
const template = (changes: Partial<WorkerDeployment> = {}) =>
  (
    objects(changes)[2]!.spec as {
      readonly template: { readonly metadata: Record<string, Record<string, string>>; readonly spec: Record<string, unknown> }
    }
  ).template

describe('the objects of workers', () => {
  test('should come in the order in which a pod needs them', () => {
    expect(objects().map(object => object.kind)).toEqual(['ConfigMap', 'PodDisruptionBudget', 'Deployment'])
  })

  test('should be the same for the same input: the operator compares them', () => {
    expect(semanticallyEqual(objects(), objects())).toBe(true)
  })

  test('should select the pods by labels that a user cannot change', () => {
    const labels = { 'app.kubernetes.io/instance': 'hijacked', team: 'shop' }
    const { metadata } = template({ podTemplate: { labels } })
    const selector = (objects()[2]!.spec as { readonly selector: { readonly matchLabels: object } }).selector.matchLabels
    expect(metadata.labels).toMatchObject({ ...selector, team: 'shop' })
  })

  test('should let no annotation of a user hide that the contract changed', () => {
    const annotations = { 'sluice.dev/contract-generation': '1' }
    expect(template({ podTemplate: { annotations } }).metadata.annotations).toMatchObject({ 'sluice.dev/contract-generation': '4' })
  })

  test.each([
    { what: 'default', resources: undefined, want: { requests: { cpu: '100m', memory: '256Mi' }, limits: { memory: '640Mi' } } },
    { what: 'own', resources: { requests: { memory: '1Gi' } }, want: { requests: { memory: '1Gi' } } },
  ])('should ask for $what resources, never for a mix that contradicts itself', ({ resources, want }) => {
    const { containers } = template(resources && { resources }).spec as { readonly containers: readonly { readonly resources: object }[] }
    expect(containers[0]?.resources).toEqual(want)
  })

  test('should run at the least privilege', () => {
    const { spec } = template()
    expect(spec).toMatchObject({
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, runAsUser: 65_532, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [{ securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } } }],
    })
  })

  test('should mount each Secret under its folder', () => {
    const { spec } = template({
      secrets: [
        { folder: 'ca', secretName: 'kafka-ca' },
        { folder: 'password', secretName: 'kafka-user' },
      ],
    })
    expect(spec.volumes).toEqual(
      expect.arrayContaining([
        { name: 'secret-0', secret: { secretName: 'kafka-ca', defaultMode: 0o440 } },
        { name: 'secret-1', secret: { secretName: 'kafka-user', defaultMode: 0o440 } },
      ]),
    )
  })

  test('should keep label values within 63 characters for a name of 253', () => {
    const long = { ...owner, metadata: { ...owner.metadata, name: 'n'.repeat(253) } }
    const value = objects({ of: refOf(long), owners: [long] })[0]!.metadata.labels!['sluice.dev/name']!
    expect(value).toHaveLength(63)
    const other = { ...owner, metadata: { ...owner.metadata, name: `${'n'.repeat(252)}m` } }
    expect(objects({ of: refOf(other), owners: [other] })[0]!.metadata.labels!['sluice.dev/name']).not.toBe(value)
  })

  describe('of a pool', () => {
    const second = { ...owner, metadata: { ...owner.metadata, name: 'ship', uid: 'u-2' } }
    const pool = (generation: number, ...names: readonly string[]): Partial<WorkerDeployment> => ({
      of: { kind: 'Pool', namespace: 'shop', name: 'small-0badcafe' },
      owners: [owner, second],
      name: 'pool-small-0badcafe',
      contract: {
        ...workers().contract,
        pool: 'small',
        generation,
        resources: names.map(name => ({ kind: 'DelayQueue', name, config: {} })),
      },
    })

    test('should belong to all members, so that they go with the last, and be told apart from those of a resource', () => {
      for (const { metadata } of objects(pool(1, 'pay', 'ship'))) {
        expect(metadata.ownerReferences?.map(({ name, controller }) => [name, controller])).toEqual([
          ['pay', undefined],
          ['ship', undefined],
        ])
        expect(ownerOf({ metadata })).toEqual({ kind: 'Pool', namespace: 'shop', name: 'small-0badcafe' })
      }
    })

    test('should not replace its pods when a resource comes, goes or changes, but when the connection does', () => {
      expect(objects(pool(2, 'pay', 'ship'))[2]).toEqual(objects(pool(1, 'pay'))[2])
      const rest = pool(2, 'pay')
      const elsewhere = { ...workers(rest).contract, connection: { bootstrapServers: ['other:9092'] } }
      expect(template({ ...rest, contract: elsewhere })).not.toEqual(template(pool(2, 'pay')))
    })
  })
})
