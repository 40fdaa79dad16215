import type { Clock } from '../api/clock.ts'
import { refKey, refOf, type Resource, type ResourceRef } from '../api/resource.ts'
import type { KafkaAdmin, KafkaAdminFactory } from '../kafka/admin.ts'
import { KafkaError } from '../kafka/errors.ts'
import type { Logger } from '../observability/logger.ts'
import { resolveConnection, secretsHash, type ConnectionSpec, type ResolvedConnection } from './connection-settings.ts'
import type { ConnectionView, Probe } from './observed.ts'
import { Observer } from './observer.ts'
import type { OperatorOptions } from './options.ts'
import type { SecretReader } from './ports.ts'

/** A connection that can be talked over: its last probe succeeded. */
export interface LiveConnection {
  readonly admin: KafkaAdmin
  readonly observer: Observer
  readonly resolved: ResolvedConnection
  readonly secretsHash: string
}

export interface ConnectionsParts {
  readonly secrets: SecretReader
  readonly adminFactory: KafkaAdminFactory
  readonly clock: Clock
  readonly logger: Logger
  readonly options: OperatorOptions
}

/** Replicas of new topics where the connection does not say: fewer where there are fewer brokers. */
const DEFAULT_REPLICATION_FACTOR = 3

interface Entry {
  uid: string | undefined
  live: LiveConnection | undefined
  /** The spec that the settings were resolved from, and when: Secrets change without telling us. */
  spec: unknown
  resolvedAtMs: number
  probe: Probe | undefined
  probing: Promise<Probe> | undefined
}

/**
 * One admin client and one observer per KafkaConnection, made anew when the settings or a Secret change, closed when the resource goes. A
 * probe is the only thing that decides whether a connection is ready.
 */
export class Connections {
  readonly #parts: ConnectionsParts
  readonly #entries = new Map<string, Entry>()

  constructor(parts: ConnectionsParts) {
    this.#parts = parts
  }

  /** Probes the cluster now; concurrent calls share one probe. Never rejects. */
  async probe(resource: Resource): Promise<Probe> {
    const entry = this.#entry(resource)
    entry.probing ??= this.#probe(resource, entry).finally(() => {
      entry.probing = undefined
    })
    return entry.probing
  }

  /** The last probe, or the first one if there was none. */
  async lastProbe(resource: Resource): Promise<Probe> {
    return this.#entry(resource).probe ?? this.probe(resource)
  }

  view(resource: Resource): ConnectionView {
    const { defaults = {}, allowedTopics } = resource.spec as ConnectionSpec
    const probe = this.#entries.get(refKey(refOf(resource)))?.probe
    const brokers = probe?.ok === true ? Math.max(1, probe.cluster.brokers.length) : DEFAULT_REPLICATION_FACTOR
    return {
      ref: refOf(resource),
      defaults: { ...defaults, replicationFactor: defaults.replicationFactor ?? Math.min(DEFAULT_REPLICATION_FACTOR, brokers) },
      ...(allowedTopics && { allowedTopics }),
      probe,
    }
  }

  /** undefined: the last probe failed, or there was none. */
  live(ref: ResourceRef): LiveConnection | undefined {
    const entry = this.#entries.get(refKey(ref))
    return entry?.probe?.ok === true ? entry.live : undefined
  }

  /** Tells connections to the same cluster from others, whatever their names; undefined while not known. */
  clusterId(ref: ResourceRef): string | undefined {
    const probe = this.#entries.get(refKey(ref))?.probe
    return probe?.ok === true ? probe.cluster.clusterId : undefined
  }

  /** The resource no longer asks for anything on any connection. */
  forgetInterest(key: string): void {
    for (const { live } of this.#entries.values()) live?.observer.forget(key)
  }

  /** The KafkaConnection is gone. */
  async drop(ref: ResourceRef): Promise<void> {
    const entry = this.#entries.get(refKey(ref))
    this.#entries.delete(refKey(ref))
    await this.#close(entry?.live)
  }

  async closeAll(): Promise<void> {
    const entries = [...this.#entries.values()]
    this.#entries.clear()
    await Promise.all(entries.map(({ live }) => this.#close(live)))
  }

  #entry(resource: Resource): Entry {
    const key = refKey(refOf(resource))
    const known = this.#entries.get(key)
    if (known?.uid === resource.metadata.uid && known !== undefined) return known
    void this.#close(known?.live)
    const entry: Entry = {
      uid: resource.metadata.uid,
      live: undefined,
      spec: undefined,
      resolvedAtMs: 0,
      probe: undefined,
      probing: undefined,
    }
    this.#entries.set(key, entry)
    return entry
  }

  async #probe(resource: Resource, entry: Entry): Promise<Probe> {
    const probe = await this.#attempt(resource, entry)
    entry.probe = probe
    return probe
  }

  async #attempt(resource: Resource, entry: Entry): Promise<Probe> {
    const at = this.#parts.clock.now()
    try {
      const missing = await this.#resolve(resource, entry)
      if (missing !== undefined || entry.live === undefined)
        return { ok: false, at, code: 'SecretMissing', message: missing ?? 'no settings' }
      return { ok: true, at, cluster: await this.#bounded(entry.live.admin.describeCluster()) }
    } catch (error) {
      if (!(error instanceof KafkaError))
        this.#parts.logger.error({ err: error, connection: refKey(refOf(resource)) }, 'Probe failed unexpectedly')
      const code = error instanceof KafkaError ? error.code : 'Unexpected'
      return { ok: false, at, code, message: error instanceof Error ? error.message : String(error) }
    }
  }

  /** Brings settings up to date with spec and Secrets; answers what is missing. */
  async #resolve(resource: Resource, entry: Entry): Promise<string | undefined> {
    const nowMs = this.#parts.clock.monotonicMs()
    const fresh = entry.live !== undefined && entry.spec === resource.spec && entry.probe?.ok === true
    if (fresh && nowMs - entry.resolvedAtMs < this.#parts.options.secretsIntervalMs) return undefined
    const resolution = await resolveConnection(resource, this.#parts.secrets)
    if (!resolution.ok) {
      // Deleted with its Secret in one go: those who drain over it have what they need.
      if (resource.metadata.deletionTimestamp !== undefined && entry.live !== undefined) return undefined
      await this.#close(entry.live)
      entry.live = undefined
      return resolution.message
    }
    entry.spec = resource.spec
    entry.resolvedAtMs = nowMs
    if (entry.live?.resolved.fingerprint !== resolution.connection.fingerprint) await this.#connect(resource, entry, resolution.connection)
    return undefined
  }

  async #connect(resource: Resource, entry: Entry, resolved: ResolvedConnection): Promise<void> {
    const { adminFactory, clock, options } = this.#parts
    const before = entry.live
    const admin = adminFactory(resolved.settings, { clientId: options.clientId })
    const observer = new Observer(admin, { clock, sizesIntervalMs: options.sizesIntervalMs })
    entry.live = { admin, observer, resolved, secretsHash: await secretsHash(resolved, resource.metadata.uid ?? refKey(refOf(resource))) }
    await this.#close(before)
  }

  /** A broker that accepts and never answers must not hold a probe for ever. */
  async #bounded<T>(answer: Promise<T>): Promise<T> {
    const { clock, options } = this.#parts
    const done = new AbortController()
    const late = clock.sleep(options.probeTimeoutMs, done.signal).then(() => {
      throw new KafkaError('Timeout', `no answer within ${options.probeTimeoutMs / 1_000} s`, { retriable: true })
    })
    try {
      return await Promise.race([answer, late])
    } finally {
      late.catch(() => undefined)
      answer.catch(() => undefined)
      done.abort()
    }
  }

  async #close(live: LiveConnection | undefined): Promise<void> {
    await live?.admin.close().catch((error: unknown) => {
      this.#parts.logger.warn({ err: error }, 'Closing an admin client failed')
    })
  }
}
