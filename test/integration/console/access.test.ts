import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { get } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kafka as KafkaJs, logLevel } from 'kafkajs'
import { startConsole } from '../../../src/console/index.ts'
import { serveConsole } from '../../../src/console/server.ts'
import type { HttpServer } from '../../../src/observability/http.ts'
import { confluentLog } from '../../../src/kafka/confluent-log.ts'
import { platformaticAdmin } from '../../../src/kafka/platformatic-admin.ts'
import { kinds } from '../../../src/kinds/index.ts'
import { connectKubernetes } from '../../../src/kubernetes/index.ts'
import type { KubernetesPorts } from '../../../src/kubernetes/index.ts'
import { createLogger } from '../../../src/observability/logger.ts'
import { CertificateAuthority } from '../../support/certificates.ts'
import { renderChart } from '../../support/chart.ts'
import { createTopic } from '../../support/delay-queue/queue-on-kafka.ts'
import { eventually } from '../../support/eventually.ts'
import { sharedKafka } from '../../support/kafka.ts'
import type { SharedKafka } from '../../support/kafka.ts'
import { startKubernetes } from '../../support/kubernetes.ts'
import type { Kubeconfig, TestKubernetes } from '../../support/kubernetes.ts'
import { apply, get as read, namespaceObject, surroundings } from '../kubernetes/parts.ts'

const SYSTEM = 'sluice-system'
jest.setTimeout(60_000)

let cluster: TestKubernetes
let kafka: SharedKafka
let ports: KubernetesPorts
let console: HttpServer
const logged: string[] = []
const stop = new AbortController()
/** Bearer tokens of service accounts in `shop`. */
const tokens: Record<string, string> = {}

const object = (apiVersion: string, kind: string, metadata: object, more: object): object => ({ apiVersion, kind, metadata, ...more })
const RBAC = 'rbac.authorization.k8s.io'
const bind = (account: string, role: string): object =>
  object(
    `${RBAC}/v1`,
    'RoleBinding',
    { namespace: 'shop', name: `${account}-${role}` },
    {
      roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: role },
      subjects: [{ kind: 'ServiceAccount', name: account, namespace: 'shop' }],
    },
  )

/** The console as `sluice operator` serves it when the chart exposes it, with the permissions that the chart gives and no more. */
beforeAll(async () => {
  ;[cluster, kafka] = await Promise.all([startKubernetes(), sharedKafka()])
  await apply(cluster, namespaceObject(SYSTEM), namespaceObject('shop'), namespaceObject('other'))
  await cluster.applyCrds()
  const chart = await renderChart({ crds: { enabled: false }, console: { enabled: true, expose: true } })
  await apply(cluster, ...chart.filter(({ kind }) => /Role|ServiceAccount/.test(kind)))
  for (const account of ['ann', 'bob', 'eve']) {
    const { users } = JSON.parse(readFileSync(await cluster.serviceAccount('shop', account), 'utf8')) as Kubeconfig
    tokens[account] = users[0]?.user.token ?? ''
  }
  await apply(cluster, bind('ann', 'sluice-view'), bind('ann', 'sluice-edit'), bind('ann', 'sluice-payloads'), bind('bob', 'sluice-view'))
  const prefix = kafka.uniquePrefix()
  for (const namespace of ['shop', 'other']) {
    const about = (name: string) => ({ namespace, name })
    const spec = {
      connectionRef: { name: 'main' },
      source: { topic: 'orders', group: 'billing' },
      delivery: { topic: {} },
      topicPrefix: prefix,
    }
    await apply(
      cluster,
      object('sluice.dev/v1alpha1', 'KafkaConnection', about('main'), { spec: { bootstrapServers: [kafka.bootstrap] } }),
      object('sluice.dev/v1alpha1', 'DeadLetterPipeline', about('billing'), { spec }),
    )
  }
  await dead(prefix)
  const around = { ...surroundings(), logger: createLogger({}, { write: line => void logged.push(line) }) }
  ports = await connectKubernetes({
    ...around,
    kubeconfig: await cluster.serviceAccount(SYSTEM, 'sluice'),
    namespaces: [],
    plurals: new Map(kinds.map(({ definition }) => [definition.kind, definition.plural])),
    workers: { image: 'sluice:test', pullPolicy: 'IfNotPresent', pullSecrets: [] },
    ruleLabels: {},
    identity: 'under-test',
    userAgent: 'sluice-operator/test',
  })
  await ports.store.start(
    kinds.map(({ definition }) => definition.kind),
    stop.signal,
  )
  const options = { ...around, ...ports, resources: ports.store, ready: () => true, adminFactory: platformaticAdmin }
  console = await startConsole({ ...options, logFactory: () => Promise.resolve(confluentLog) }, { host: '127.0.0.1', port: 0 })
}, 120_000)

afterAll(async () => {
  await console.close()
  stop.abort()
  ports.close()
  await kafka.stop()
  await cluster.stop()
}, 60_000)

async function dead(prefix: string): Promise<void> {
  const client = new KafkaJs({ brokers: [kafka.bootstrap], logLevel: logLevel.NOTHING })
  const admin = client.admin()
  await admin.connect()
  for (const role of ['dlq', 'handled', 'audit', 'redelivery']) await createTopic(admin, `${prefix}.${role}`, 1, {})
  await admin.disconnect()
  const producer = client.producer()
  await producer.connect()
  await producer.send({
    topic: `${prefix}.dlq`,
    messages: [{ key: 'k', value: 'the payload', headers: { 'sluice-error-class': 'Timeout' } }],
  })
  await producer.disconnect()
}

async function ask(account: string, path: string, body?: object): Promise<{ readonly status: number; readonly text: string }> {
  const response = await fetch(`http://127.0.0.1:${console.port}/api${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { 'x-sluice-console': '1', authorization: `Bearer ${tokens[account] ?? account}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  return { status: response.status, text: await response.text() }
}

const BILLING = '/pipelines/shop/billing'

describe('an exposed console', () => {
  test.each([
    { who: 'nobody.we.know', path: '/session', status: 401 },
    { who: 'ann', path: '/session', status: 200, says: '"user":"system:serviceaccount:shop:ann"' },
    { who: 'ann', path: BILLING, status: 200, says: '"may":{"readPayloads":true,"redrive":true}' },
    { who: 'bob', path: BILLING, status: 200, says: '"may":{"readPayloads":false,"redrive":false}' },
    { who: 'eve', path: BILLING, status: 403, says: 'may not get deadletterpipelines.sluice.dev in namespace shop' },
    { who: 'ann', path: '/pipelines/other/billing', status: 403 },
    { who: 'bob', path: `${BILLING}/groups`, status: 200, says: '"class":"Timeout","count":1' },
    { who: 'eve', path: `${BILLING}/groups`, status: 403 },
    { who: 'bob', path: `${BILLING}/records/0/0`, status: 200, says: '"valueBytes":11' },
    { who: 'bob', path: `${BILLING}/records/0/0/payload`, status: 403, says: 'deadletterpipelines/payloads' },
    { who: 'ann', path: `${BILLING}/records/0/0/payload`, status: 200, says: '"value":"the payload"' },
    { who: 'bob', path: `${BILLING}/rehearsals`, body: { select: { all: true } }, status: 200, says: '"matched":1,"moved":1' },
    { who: 'bob', path: `${BILLING}/redrives`, body: { select: { all: true } }, status: 403, says: 'may not create deadletterredrives' },
    { who: 'ann', path: `${BILLING}/redrives`, body: { select: {} }, status: 400, says: 'spec.select' },
  ])('should answer $status to $who at $path $body', async ({ who, path, body, status, says = '' }) => {
    const answer = await ask(who, path, body)
    expect(answer).toEqual({ status, text: expect.stringContaining(says) })
  })

  test('should list to each only the pipelines of namespaces that he may list', async () => {
    const namespaces = async (who: string) =>
      (JSON.parse((await ask(who, '/pipelines')).text) as { pipelines: readonly { namespace: string }[] }).pipelines.map(
        one => one.namespace,
      )
    expect(await namespaces('ann')).toEqual(['shop'])
    expect(await namespaces('eve')).toEqual([])
  })

  test('should make a redrive with the token of the user, which the API server judges itself', async () => {
    const { status, text } = await ask('ann', `${BILLING}/redrives`, { select: { errorClass: 'Timeout' } })
    expect(status).toBe(200)
    const { name } = JSON.parse(text) as { name: string }
    expect(await read(cluster, 'shop', 'redrive', name)).toMatchObject({
      metadata: { annotations: { 'sluice.dev/requested-by': 'system:serviceaccount:shop:ann' } },
      spec: { pipelineRef: { name: 'billing' }, select: { errorClass: 'Timeout' } },
    })
    const seen = async () => (await ask('bob', `${BILLING}/redrives`)).text.includes(name)
    await eventually('the redrive in the list', seen)
    expect((await ask('ann', `${BILLING}/redrives/${name}/suspended`, { suspended: true })).status).toBe(200)
    expect(await read(cluster, 'shop', 'redrive', name)).toMatchObject({ spec: { suspend: true } })
    expect((await ask('bob', `${BILLING}/redrives/${name}/suspended`, { suspended: false })).status).toBe(403)
    await expect(ports.writer.create({ name: 'the operator' }, { apiVersion: 'sluice.dev/v1alpha1', kind: 'DeadLetterRedrive', metadata: { namespace: 'shop', name: 'own', annotations: {} }, spec: { pipelineRef: { name: 'billing' }, select: { all: true } } })).rejects.toMatchObject({ status: 403 }) // prettier-ignore
  })

  test('should answer over TLS where it has a certificate', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-console-'))
    const authority = await CertificateAuthority.create(folder)
    const pair = await authority.issue('localhost', ['DNS:localhost'])
    const tls = { certificate: join(folder, 'localhost.pem'), key: join(folder, 'localhost.key') }
    expect(pair.certificate).toBe(readFileSync(tls.certificate, 'utf8'))
    const parts = { access: ports.access, routes: [], ready: () => true, logger: createLogger({ level: 'silent' }) }
    const secure = await serveConsole(parts, { host: '127.0.0.1', port: 0, tls })
    try {
      const status = await new Promise<number | undefined>((resolve, reject) => {
        get(`https://localhost:${secure.port}/`, { ca: authority.ca, host: '127.0.0.1', servername: 'localhost' }, response => {
          response.resume()
          resolve(response.statusCode)
        }).on('error', reject)
      })
      expect(status).toBe(200)
    } finally {
      await secure.close()
      await rm(folder, { recursive: true })
    }
  })

  test('should write down who saw a payload and who redrove, and neither payload nor token', () => {
    const lines = logged.map(line => JSON.parse(line) as Record<string, unknown>).filter(({ audit }) => audit !== undefined)
    expect(lines).toContainEqual(expect.objectContaining({ audit: 'PayloadShown', by: 'system:serviceaccount:shop:ann', namespace: 'shop', name: 'billing', partition: '0', offset: '0' })) // prettier-ignore
    expect(lines.map(({ audit }) => audit)).toEqual(expect.arrayContaining(['RedriveCreated', 'RedriveSuspended']))
    for (const secret of ['the payload', ...Object.values(tokens)]) expect(logged.join('\n')).not.toContain(secret)
  })
})
