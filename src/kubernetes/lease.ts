import type { Clock } from '../api/clock.ts'
import type { Logger } from '../observability/logger.ts'
import type { Election } from '../operator/ports.ts'
import type { KubernetesClient } from './client.ts'
import { hasCode } from './errors.ts'
import { microTime } from './events.ts'
import { LEASES, pathOf, type Metadata } from './object.ts'

export interface LeaseOptions {
  readonly client: KubernetesClient
  readonly clock: Clock
  readonly logger: Logger
  readonly namespace: string
  readonly name: string
  /** Unique per process, not per pod: a container that restarts is another candidate. */
  readonly identity: string
  readonly durations?: LeaseDurations
}

export interface LeaseDurations {
  /** A leader that has not renewed for so long, as seen by a follower's own clock, is taken for dead. */
  readonly leaseMs: number
  /** A leader that could not renew for so long stops leading: before any follower takes it for dead. */
  readonly renewDeadlineMs: number
  readonly retryMs: number
}

/** controller-runtime's values. A killed leader is replaced after 15 s to 17 s, one that stopped in order at once. */
const DURATIONS: LeaseDurations = { leaseMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2_000 }

interface Lease {
  readonly metadata: Metadata
  readonly spec?: LeaseSpec
}
interface LeaseSpec {
  readonly holderIdentity?: string
  readonly leaseDurationSeconds?: number
  readonly acquireTime?: string
  readonly renewTime?: string
  readonly leaseTransitions?: number
}

/** What a candidate saw of the lease, and when by its own clock: clocks of different nodes are never compared. */
interface Sighting {
  readonly version: string
  readonly atMs: number
}

/** Leadership by a Lease of coordination.k8s.io. At most one leads, as long as nobody's clock runs 1.5 times as fast as another's. */
export function createElection(options: LeaseOptions): Election {
  const { client, clock, logger, namespace, name, identity } = options
  const durations = options.durations ?? DURATIONS
  const path = pathOf(LEASES, namespace, name)
  let sighting: Sighting | undefined
  let leading = false
  /** No request may outlast this: what the leader still believes by then is no longer sure. */
  let deadlineMs = Infinity

  const ask = async (method: 'GET' | 'PUT' | 'POST', spec?: LeaseSpec, metadata?: Metadata): Promise<Lease> =>
    (await client.send({
      method,
      path: method === 'POST' ? pathOf(LEASES, namespace) : path,
      timeoutMs: Math.max(1, Math.min(durations.renewDeadlineMs / 2, deadlineMs - clock.monotonicMs())),
      ...(spec !== undefined && {
        body: { apiVersion: LEASES.apiVersion, kind: LEASES.kind, metadata: metadata ?? { name, namespace }, spec },
      }),
    })) as Lease

  const claim = (before: LeaseSpec | undefined): LeaseSpec => {
    const now = microTime(clock.now())
    const mine = before?.holderIdentity === identity
    return {
      holderIdentity: identity,
      leaseDurationSeconds: Math.ceil(durations.leaseMs / 1_000),
      acquireTime: mine ? (before.acquireTime ?? now) : now,
      renewTime: now,
      leaseTransitions: (before?.leaseTransitions ?? 0) + (mine || before === undefined ? 0 : 1),
    }
  }

  /** One attempt to take or to keep the lease. `waitMs`: when the next attempt can succeed at the earliest. */
  async function attempt(): Promise<{ readonly held: boolean; readonly waitMs: number }> {
    const lease = await readLease()
    if (lease === undefined) {
      await ask('POST', claim(undefined))
      return { held: true, waitMs: durations.retryMs }
    }
    const remainingMs = remaining(lease)
    if (remainingMs > 0) return { held: false, waitMs: Math.min(durations.retryMs, remainingMs) }
    await ask('PUT', claim(lease.spec), lease.metadata)
    return { held: true, waitMs: durations.retryMs }
  }

  async function readLease(): Promise<Lease | undefined> {
    try {
      return await ask('GET')
    } catch (error) {
      if (hasCode(error, 'NotFound')) return undefined
      throw error
    }
  }

  /** How long the lease must still be left to its holder; zero when it is free, ours, or expired. */
  function remaining(lease: Lease): number {
    const holder = lease.spec?.holderIdentity ?? ''
    if (holder === '' || holder === identity) return 0
    const version = lease.metadata.resourceVersion ?? ''
    if (sighting?.version !== version) sighting = { version, atMs: clock.monotonicMs() }
    const leaseMs = (lease.spec?.leaseDurationSeconds ?? durations.leaseMs / 1_000) * 1_000
    return Math.max(0, sighting.atMs + leaseMs - clock.monotonicMs())
  }

  async function acquire(signal: AbortSignal): Promise<boolean> {
    while (!signal.aborted) {
      let waitMs = durations.retryMs
      try {
        const result = await attempt()
        if (result.held) return true
        waitMs = result.waitMs
      } catch (error) {
        // Another candidate was faster: that is an answer, not a failure.
        if (!hasCode(error, 'Conflict', 'AlreadyExists'))
          logger.warn({ lease: `${namespace}/${name}`, err: error }, 'could not ask for the lease')
      }
      await clock.sleep(waitMs, signal)
    }
    return false
  }

  /** Renews until the signal aborts or the lease is lost; answers whether it is still ours. */
  async function keep(signal: AbortSignal): Promise<boolean> {
    deadlineMs = clock.monotonicMs() + durations.renewDeadlineMs
    for (;;) {
      await clock.sleep(Math.min(durations.retryMs, deadlineMs - clock.monotonicMs()), signal)
      if (signal.aborted) return true
      const startedMs = clock.monotonicMs()
      try {
        if (!(await attempt()).held) return false
        deadlineMs = startedMs + durations.renewDeadlineMs
      } catch (error) {
        logger.warn({ lease: `${namespace}/${name}`, err: error }, 'the lease could not be renewed')
        if (clock.monotonicMs() >= deadlineMs) return false
      }
    }
  }

  /** Gives the lease away, so that a follower need not wait for it to expire. */
  async function release(): Promise<void> {
    try {
      const lease = await ask('GET')
      if (lease.spec?.holderIdentity !== identity) return
      const now = microTime(clock.now())
      await ask('PUT', { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime: now, acquireTime: now }, lease.metadata)
    } catch (error) {
      logger.warn({ lease: `${namespace}/${name}`, err: error }, 'the lease could not be released; it will expire')
    }
  }

  /** One term: from winning to losing or stopping. The lease is released only after the last write of the leader. */
  async function term(signal: AbortSignal, lead: (leading: AbortSignal) => Promise<void>): Promise<void> {
    const lost = new AbortController()
    const stopKeeping = new AbortController()
    leading = true
    logger.info({ lease: `${namespace}/${name}`, identity }, 'leading')
    const kept = keep(stopKeeping.signal).then(still => {
      leading = still && leading
      if (!still) lost.abort()
      return still
    })
    try {
      await lead(AbortSignal.any([signal, lost.signal]))
    } finally {
      stopKeeping.abort()
      const still = await kept
      leading = false
      deadlineMs = Infinity
      logger.info({ lease: `${namespace}/${name}`, identity, lost: !still }, 'no longer leading')
      if (still) await release()
    }
  }

  return {
    isLeader: () => leading,
    async run(signal, lead) {
      while (await acquire(signal)) {
        await term(signal, lead)
        // A term that ended by itself leaves the lease to another candidate first.
        await clock.sleep(durations.retryMs, signal)
      }
    },
  }
}
