import { describe, expect, test } from '@jest/globals'
import { FakeClock, settle } from '../../test/support/fakes/clock.ts'
import { createLogger } from '../observability/logger.ts'
import type { ApiRequest, KubernetesClient } from './client.ts'
import { KubernetesError } from './errors.ts'
import { createElection } from './lease.ts'

/** One Lease with optimistic locking, as the API server keeps it. */
class LeaseServer {
  spec: { readonly holderIdentity?: string; readonly leaseTransitions?: number } | undefined
  version = 0
  /** Requests of these candidates fail. */
  readonly unreachable = new Set<string>()

  clientOf(identity: string): KubernetesClient {
    return {
      namespace: 'sluice',
      send: request =>
        this.unreachable.has(identity) ? Promise.reject(new KubernetesError('Unavailable', 'refused')) : this.#answer(request),
      lines: () => {
        throw new Error('leases are not watched')
      },
      close: () => undefined,
    }
  }
  #answer({ method, body }: ApiRequest): Promise<unknown> {
    const sent = body as { readonly metadata: { readonly resourceVersion?: string }; readonly spec: LeaseServer['spec'] } | undefined
    if (method === 'GET' && this.spec === undefined) return Promise.reject(new KubernetesError('NotFound', 'no lease'))
    if (method === 'POST' && this.spec !== undefined) return Promise.reject(new KubernetesError('AlreadyExists', 'there is one'))
    if (method === 'PUT' && sent?.metadata.resourceVersion !== String(this.version))
      return Promise.reject(new KubernetesError('Conflict', 'changed'))
    if (method !== 'GET') {
      this.spec = sent?.spec
      this.version++
    }
    return Promise.resolve({ metadata: { name: 'l', resourceVersion: String(this.version) }, spec: this.spec })
  }
}

function candidate(server: LeaseServer, clock: FakeClock, identity: string) {
  const stopping = new AbortController()
  const logger = createLogger({ level: 'silent' })
  const election = createElection({ client: server.clientOf(identity), clock, logger, namespace: 'sluice', name: 'l', identity })
  const log: string[] = []
  const running = election.run(stopping.signal, leading => {
    log.push('won')
    return new Promise(resolve => {
      leading.addEventListener('abort', () => {
        log.push('over')
        resolve()
      })
    })
  })
  return {
    election,
    log,
    running,
    stop: () => {
      stopping.abort()
    },
  }
}

async function twoCandidates() {
  const clock = new FakeClock()
  const server = new LeaseServer()
  const first = candidate(server, clock, 'first')
  await settle()
  const second = candidate(server, clock, 'second')
  await settle()
  return { clock, server, first, second }
}

describe('the election', () => {
  test('should give the lease to the first and keep it there', async () => {
    const { clock, first, second, server } = await twoCandidates()
    await clock.advance(120_000)
    expect([first.log, second.log]).toEqual([['won'], []])
    expect(server.spec).toMatchObject({ holderIdentity: 'first', leaseTransitions: 0 })
  })

  test('should stop leading before anybody else starts when renewing fails', async () => {
    const { clock, first, second, server } = await twoCandidates()
    server.unreachable.add('first')
    await clock.advance(10_000)
    expect(first.log).toEqual(['won', 'over'])
    expect(first.election.isLeader()).toBe(false)
    expect(second.log).toEqual([])
    await clock.advance(7_000)
    expect(second.log).toEqual(['won'])
    expect(server.spec).toMatchObject({ holderIdentity: 'second', leaseTransitions: 1 })
  })

  test('should lead again when the lease comes free again', async () => {
    const { clock, first, second, server } = await twoCandidates()
    server.unreachable.add('first')
    await clock.advance(20_000)
    server.unreachable.clear()
    second.stop()
    await second.running
    await clock.advance(2_000)
    expect(first.log).toEqual(['won', 'over', 'won'])
  })

  test('should hand over within a retry when the leader stops', async () => {
    const { clock, first, second, server } = await twoCandidates()
    first.stop()
    await first.running
    expect(server.spec?.holderIdentity).toBe('')
    await clock.advance(2_000)
    expect(second.log).toEqual(['won'])
  })

  test('should not be led astray by a wall clock that jumps', async () => {
    const { clock, first, second } = await twoCandidates()
    clock.step(3_600_000)
    await clock.advance(30_000)
    clock.step(-7_200_000)
    await clock.advance(30_000)
    expect([first.log, second.log]).toEqual([['won'], []])
  })

  test('should step down when somebody else took the lease', async () => {
    const { clock, first, server } = await twoCandidates()
    server.spec = { ...server.spec, holderIdentity: 'third' }
    server.version++
    await clock.advance(2_000)
    expect(first.log).toEqual(['won', 'over'])
    expect(server.spec.holderIdentity).toBe('third')
  })
})
