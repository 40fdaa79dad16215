import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KafkaServer, QUICK_JVM, formatStorage, kafkaLibs, newClusterId } from './kafka.ts'
import type { Kafka, Layout } from './kafka.ts'
import { serverProperties } from './kafka-properties.ts'
import { freePorts } from './ports.ts'
import { startTcpProxy } from './tcp-proxy.ts'
import type { TcpProxy } from './tcp-proxy.ts'

/** Real brokers on loopback, each a controller too. Every one has a second way in, through a proxy that can be cut and stalled. */
export interface KafkaCluster {
  /** The straight way to all brokers. */
  readonly bootstrap: string
  /** The way through the proxies: brokers answer with the proxies' addresses, so all traffic of a client that starts here takes it. */
  readonly proxied: string
  readonly brokers: readonly Kafka[]
  readonly proxies: readonly TcpProxy[]
  stop(): Promise<void>
}

/** With three brokers every topic has three replicas, two of which must be in sync, those of the groups and transactions too. */
export async function startCluster(size: 1 | 3): Promise<KafkaCluster> {
  const ports = await freePorts(3 * size)
  const proxies = await Promise.all(Array.from({ length: size }, (_, i) => startTcpProxy(ports[3 * i + 1]!)))
  const dirs = await Promise.all(proxies.map(() => mkdtemp(join(tmpdir(), 'sluice-kafka-'))))
  const brokers: KafkaServer[] = []
  const stop = async (): Promise<void> => {
    await Promise.all(brokers.map(broker => broker.stop()))
    await Promise.all(proxies.map(proxy => proxy.close()))
    await Promise.all(dirs.map(dir => rm(dir, { recursive: true, force: true })))
  }
  try {
    const layouts = await Promise.all(dirs.map((dir, i) => layoutOf(dir, i, size, ports, proxies[i]!.port)))
    const clusterId = newClusterId()
    for (const { dir } of layouts) await formatStorage(dir, clusterId)
    brokers.push(...layouts.map(layout => new KafkaServer(layout, QUICK_JVM)))
    await Promise.all(brokers.map(broker => broker.start()))
  } catch (error) {
    await stop()
    throw error
  }
  return {
    bootstrap: brokers.map(broker => broker.bootstrap).join(','),
    proxied: proxies.map(({ port }) => `127.0.0.1:${port}`).join(','),
    brokers,
    proxies,
    stop,
  }
}

async function layoutOf(dir: string, index: number, size: number, ports: readonly number[], proxyPort: number): Promise<Layout> {
  const [plaintext, proxied, controllerPort] = ports.slice(3 * index, 3 * index + 3) as [number, number, number]
  const voters = Array.from({ length: size }, (_, i) => `${i + 1}@127.0.0.1:${ports[3 * i + 2]}`)
  const properties = serverProperties({
    dir,
    listening: [
      ['plaintext', plaintext],
      ['proxied', proxied],
    ],
    controllerPort,
    users: [],
    extra: {
      'node.id': String(index + 1),
      'controller.quorum.voters': voters.join(','),
      'advertised.listeners': `PLAINTEXT://127.0.0.1:${plaintext},PROXIED://127.0.0.1:${proxyPort}`,
      // Brokers that share a machine with everything else are slow at times: not every pause is a death.
      'broker.session.timeout.ms': '6000',
      'replica.lag.time.max.ms': '10000',
      ...replicated(size),
    },
  })
  await mkdir(join(dir, 'data'))
  await writeFile(join(dir, 'server.properties'), properties)
  const listeners = { plaintext: `127.0.0.1:${plaintext}`, proxied: `127.0.0.1:${proxyPort}` }
  return { dir, libs: await kafkaLibs(), listeners, users: [], ca: '', client: undefined }
}

function replicated(size: number): Readonly<Record<string, string>> {
  if (size === 1) return {}
  const replicas = String(size)
  return {
    'default.replication.factor': replicas,
    'min.insync.replicas': '2',
    'offsets.topic.replication.factor': replicas,
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': '2',
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.min.isr': '2',
  }
}
