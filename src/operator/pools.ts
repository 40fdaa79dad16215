import { refKey, refOf, type Resource, type ResourceRef } from '../api/resource.ts'
import type { CommittedOffset } from '../kafka/admin.ts'
import type { LiveConnection } from './connections.ts'
import { runningGeneration, type Contract } from './contract.ts'
import type { Engine } from './engine.ts'
import { isDraining } from './holds.ts'
import type { ReconciledKind } from './kind.ts'
import type { WorkersView } from './observed.ts'
import type { Problem, WorkerIntent } from './plan.ts'
import { byAge, poolDeployment, poolProblems, poolRef, type Member, type PoolKey } from './pool-members.ts'
import type { WorkerDeployment } from './ports.ts'

/** How long what was found about a whole pool is good enough for each of its members: hundreds are looked at in a row. */
const FRESH_MS = 10_000
/** While workers take up a new contract, their notes are read again after this time. */
const NOTES_FRESH_MS = 2_000

interface Notes {
  readonly atMs: number
  readonly offsets: ReadonlyMap<string, ReadonlyMap<number, CommittedOffset>>
}

interface Pool {
  readonly key: PoolKey
  group: string
  connection: LiveConnection | undefined
  /** What members were planned to be, by key; lost with the process, since the contract that runs has it too. */
  readonly planned: Map<string, { readonly value: unknown }>
  /** By uid: those that left although the store still has them. */
  readonly left: Set<string>
  /** One write at a time: what comes meanwhile goes into the next one. */
  turn: Promise<unknown>
  applied: { readonly deployment: WorkerDeployment; readonly of: string; readonly atMs: number } | undefined
  notes: Promise<Notes> | undefined
}

/** What became of one member. */
export interface Pooled {
  readonly deployment: WorkerDeployment
  readonly written: readonly string[]
  /** The generation is that of the resource: what runs in all of its partitions, 0 when not all run the same. */
  readonly view: WorkersView | undefined
  /** Contract generation of the resource that is wanted. */
  readonly generation: number
  readonly partitionsBehind: readonly number[]
  readonly problems: readonly Problem[]
}

/**
 * Workers that several resources share. No resource owns them: every member brings the whole pool in line, made of what the store says of all members
 * and of what each was last planned to be.
 */
export class Pools {
  readonly #pools = new Map<string, Pool>()

  async bring(
    engine: Engine,
    resource: Resource,
    intent: WorkerIntent & Required<Pick<WorkerIntent, 'pool'>>,
    connection: LiveConnection,
  ): Promise<Pooled> {
    const key = keyOf(engine, resource, intent.pool.name)
    const pool = this.#of(key)
    pool.group = intent.group
    pool.connection = connection
    pool.planned.set(refKey(refOf(resource)), { value: intent.config })
    pool.left.delete(resource.metadata.uid ?? '')
    const { deployment, written } = await this.#inTurn(pool, () => this.#apply(engine, pool, connection))
    const { kind, metadata } = resource
    const generation = deployment.contract.resources.find(told => told.kind === kind && told.name === metadata.name)?.generation ?? 0
    const workers = await engine.parts.workers.view(deployment.of)
    const running = await this.#running(engine, pool, connection, intent.pool.input, generation)
    const partitionsBehind = running.flatMap((each, partition) => (each === generation ? [] : [partition]))
    return {
      deployment,
      written,
      generation,
      partitionsBehind,
      view: workers && { ...workers, generation: partitionsBehind.length === 0 ? generation : 0 },
      problems: poolProblems(membersOf(engine, pool), resource),
    }
  }

  /** After a member has gone, or goes: the others go on without it; with the last one the workers go. */
  async leave(engine: Engine, ref: ResourceRef, key: PoolKey): Promise<void> {
    const pool = this.#of(key)
    pool.planned.delete(refKey(ref))
    const leaving = engine.parts.store.get(ref)
    if (leaving?.metadata.uid !== undefined) pool.left.add(leaving.metadata.uid)
    await this.#inTurn(pool, async () => {
      const connection =
        pool.connection ?? engine.connections.live({ kind: engine.connectionKind, namespace: key.namespace, name: key.connection })
      if (membersOf(engine, pool).length === 0) {
        await engine.parts.workers.remove(poolRef(key))
        this.#pools.delete(refKey(poolRef(key)))
      } else if (connection !== undefined && pool.group !== '') await this.#apply(engine, pool, connection)
    })
  }

  /** Of the workers of a pool: all members have a look. */
  changed(engine: Engine, ref: ResourceRef): void {
    const pool = this.#pools.get(refKey(ref))
    if (pool === undefined) return
    pool.applied = undefined
    pool.notes = undefined
    for (const { resource } of membersOf(engine, pool)) engine.enqueue(refOf(resource))
  }

  clear(): void {
    this.#pools.clear()
  }

  #of(key: PoolKey): Pool {
    const name = refKey(poolRef(key))
    const pool = this.#pools.get(name) ?? {
      key,
      group: '',
      connection: undefined,
      planned: new Map(),
      left: new Set(),
      turn: Promise.resolve(),
      applied: undefined,
      notes: undefined,
    }
    this.#pools.set(name, pool)
    return pool
  }

  #inTurn<Answer>(pool: Pool, action: () => Promise<Answer>): Promise<Answer> {
    const answer = pool.turn.then(action)
    pool.turn = answer.catch(() => undefined)
    return answer
  }

  async #apply(
    engine: Engine,
    pool: Pool,
    connection: LiveConnection,
  ): Promise<{ deployment: WorkerDeployment; written: readonly string[] }> {
    const members = membersOf(engine, pool)
    const nowMs = engine.parts.clock.monotonicMs()
    const of = signature(members, connection)
    if (pool.applied?.of === of && nowMs - pool.applied.atMs < FRESH_MS) return { deployment: pool.applied.deployment, written: [] }
    const { workers, clock } = engine.parts
    const current: Contract | undefined = await workers.currentContract(poolRef(pool.key))
    const memoryBudgetBytes = engine.options.workerMemoryBudgetBytes
    const deployment = poolDeployment({ key: pool.key, members, group: pool.group, connection, current, memoryBudgetBytes })
    const written = await workers.apply(deployment)
    pool.applied = { deployment, of, atMs: clock.monotonicMs() }
    return { deployment, written }
  }

  /** Generation per partition of the member's input, as its tasks noted it. */
  async #running(
    engine: Engine,
    pool: Pool,
    { admin }: LiveConnection,
    { topic, partitions }: { readonly topic: string; readonly partitions: number },
    wanted: number,
  ): Promise<readonly (number | undefined)[]> {
    const { clock } = engine.parts
    const read = async (maxAgeMs: number): Promise<readonly (number | undefined)[]> => {
      const known = await pool.notes
      if (known === undefined || clock.monotonicMs() - known.atMs > maxAgeMs) {
        const asked = admin.groupOffsets(pool.group).then(offsets => ({ atMs: clock.monotonicMs(), offsets: byTopic(offsets) }))
        pool.notes = asked
        asked.catch(() => {
          if (pool.notes === asked) pool.notes = undefined
        })
      }
      const own = (await pool.notes)?.offsets.get(topic)
      return Array.from({ length: partitions }, (_, partition) => runningGeneration(own?.get(partition)?.metadata ?? ''))
    }
    const known = await read(FRESH_MS)
    return known.every(each => each === wanted) ? known : read(NOTES_FRESH_MS)
  }
}

/** Where a resource shares workers; undefined: it has its own. */
export function poolKeyOf(engine: Engine, kind: ReconciledKind, resource: Resource): PoolKey | undefined {
  const pool = kind.poolOf?.(resource)?.pool
  return pool === undefined ? undefined : keyOf(engine, resource, pool)
}

const keyOf = (engine: Engine, resource: Resource, pool: string): PoolKey => ({
  namespace: resource.metadata.namespace,
  connection: engine.kinds.get(resource.kind)?.connectionOf(resource) ?? '',
  pool,
})

/** All resources that name the pool, of all kinds, until they have left: also those that drain, rest or are invalid now, since their workers go on. */
function membersOf(engine: Engine, { key, planned, left }: Pool): readonly Member[] {
  const members: Member[] = []
  for (const kind of engine.kinds.values()) {
    if (kind.poolOf === undefined) continue
    for (const resource of engine.parts.store.list(kind.definition.kind)) {
      const { namespace, deletionTimestamp, uid = '' } = resource.metadata
      if (namespace !== key.namespace || kind.connectionOf(resource) !== key.connection || left.has(uid)) continue
      if (deletionTimestamp !== undefined && !isDraining(resource)) continue
      const wish = kind.poolOf(resource)
      if (wish?.pool !== key.pool) continue
      const config = planned.get(refKey(refOf(resource)))
      members.push({ resource, wish, ...(config && { config }) })
    }
  }
  return members.toSorted(byAge)
}

/** Changes with everything that the deployment of a pool is made of. */
const signature = (members: readonly Member[], { resolved, secretsHash }: LiveConnection): string =>
  JSON.stringify([
    resolved.fingerprint,
    secretsHash,
    members.map(({ resource, wish, config }) => [resource.metadata.uid, refKey(refOf(resource)), wish, config]),
  ])

function byTopic(offsets: readonly CommittedOffset[]): Notes['offsets'] {
  const found = new Map<string, Map<number, CommittedOffset>>()
  for (const offset of offsets) {
    const own = found.get(offset.topic) ?? new Map<number, CommittedOffset>()
    found.set(offset.topic, own.set(offset.partition, offset))
  }
  return found
}
