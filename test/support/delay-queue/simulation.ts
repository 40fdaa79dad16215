import type { QueueConfig } from '../../../src/kinds/delay-queue/config.ts'
import { HORIZON_MS } from '../../../src/kinds/delay-queue/ladder.ts'
import { audit, auditPositions } from './audit.ts'
import type { Order, Sent } from './audit.ts'
import { Random } from './random.ts'
import { World, aConfig, headers } from './world.ts'
import type { Fate } from './world.ts'

/** A user who writes all kinds of messages, and a worker to whom everything happens. One seed, one run. */
export interface SimulationOptions {
  readonly steps: number
  readonly config?: Partial<QueueConfig>
  /** Memory runs short now and then: order and in-time cancels are then not promised. */
  readonly pressure?: boolean
}

const KEYS = ['a', 'b', 'c']
const IDS = ['x', 'y', 'z']

export class Simulation {
  readonly world: World
  readonly sent: Sent[] = []
  readonly orders: Order[] = []
  readonly #random: Random
  readonly #config: QueueConfig
  readonly #pressure: boolean

  constructor(seed: number, { config, pressure = false }: SimulationOptions) {
    this.#random = new Random(seed)
    this.#config = aConfig(config)
    this.#pressure = pressure
    this.world = new World(this.#config)
    this.world.leadMs = seed % 2 === 0 ? 0 : 20
  }

  run(steps: number): void {
    for (let step = 0; step < steps; step++) this.#step()
    this.world.task.pressure(0)
    this.world.runTo(this.world.now + this.#config.maxDelayMs + 2 * HORIZON_MS)
    this.world.crash()
    this.world.runTo(this.world.now + 10_000)
    audit(this.world, this.#config, this.sent, this.orders, !this.#pressure)
    for (const topic of this.world.sources)
      if (this.world.commits.get(topic)?.offset !== this.world.log(topic).stable && this.world.log(topic).stable > 0)
        throw new Error(
          `${topic} is committed at ${this.world.commits.get(topic)?.offset ?? -1} of ${this.world.log(topic).stable} though nothing waits`,
        )
  }

  #step(): void {
    const random = this.#random
    const { world } = this
    const dice = random.next()
    if (dice < 0.3) this.#write()
    else if (dice < 0.33) world.search(1 + random.below(5))
    else if (dice < 0.57) world.read(random.pick(world.sources), 1 + random.below(20))
    else if (dice < 0.8) this.#transact()
    else if (dice < 0.95) this.#pass()
    else if (dice < 0.96) world.crash()
    else if (dice < 0.97) world.log(random.pick(world.sources)).marker()
    else if (dice < 0.98) this.#foreignAbort()
    else if (dice < 0.985) this.#zombie()
    else if (this.#pressure) world.task.pressure(random.next() * 1.5)
  }

  #transact(): void {
    const fates: readonly Fate[] = ['commit', 'commit', 'commit', 'commit', 'abort', 'crash before commit', 'crash after commit']
    this.world.transact(this.#random.pick(fates), this.#random.pick([1, 3, 500]))
    if (this.#random.chance(0.05)) auditPositions(this.world, this.sent)
  }

  /** Mostly to the next thing that happens, sometimes into the blue, rarely an outage. */
  #pass(): void {
    const random = this.#random
    const wakeAt = this.world.task.wakeAt() ?? 0
    if (random.chance(0.5) && wakeAt > this.world.now) this.world.now = Math.min(wakeAt, this.world.now + 100_000)
    else this.world.now += random.below(random.pick([10, 1_000, 20_000, random.chance(0.05) ? 900_000 : 10]))
  }

  #zombie(): void {
    const zombie = this.world.task
    this.world.crash()
    this.world.zombie(zombie)
  }

  #foreignAbort(): void {
    const log = this.world.log('q.in')
    log.append(this.world.now, null, Buffer.from('never'), headers({ 'sluice-delay': '1', name: 'aborted' }), 'aborted')
    log.marker()
  }

  #write(): void {
    const random = this.#random
    const id = random.chance(0.3) ? random.pick(IDS) : undefined
    if (id !== undefined && random.chance(0.25)) {
      const op = random.chance(0.8) ? 'cancel' : 'fire'
      const { offset, timestampMs } = this.world.write('q.in', headers({ 'sluice-op': op, 'sluice-id': id }))
      this.orders.push({ op, id, offset, appendedMs: timestampMs })
      return
    }
    this.#writeMessage(id)
  }

  #writeMessage(id: string | undefined): void {
    const random = this.#random
    const topic = random.chance(0.1) ? 'q.fixed.30s' : 'q.in'
    const delayMs = topic === 'q.in' ? random.below(random.pick([5, 1_000, 20_000, 100_000, 600_000])) : 30_000
    const version = random.chance(0.3) ? random.below(4) : 0
    const target = random.pick(['due', 'due', 'due', 'other', 'small', 'absent', 'secret'])
    const large = random.chance(0.1)
    const unreadable = topic === 'q.in' && random.chance(0.03)
    const name = `m${this.sent.length}`
    const key = random.pick(KEYS)
    const record = this.world.write(
      topic,
      headers({
        name,
        'sluice-delay': unreadable ? 'soon' : String(delayMs),
        ...(id !== undefined && { 'sluice-id': id }),
        ...(version > 0 && { 'sluice-version': String(version) }),
        ...(target !== 'due' && { 'sluice-target-topic': target }),
      }),
      { key: Buffer.from(key), value: Buffer.alloc(large ? 100 : 10) },
    )
    const bad = unreadable || target === 'absent' || target === 'secret' || (target === 'small' && large)
    const { offset, timestampMs } = record
    this.sent.push({
      name,
      topic,
      offset,
      appendedMs: timestampMs,
      dueMs: timestampMs + delayMs,
      key,
      target,
      version,
      bad,
      unread: unreadable || target === 'secret',
      ...(id !== undefined && { id }),
    })
  }
}

/** @throws Error that names the seed and the promise that was broken. */
export function simulate(seed: number, options: SimulationOptions): Simulation {
  const simulation = new Simulation(seed, options)
  try {
    simulation.run(options.steps)
  } catch (error) {
    throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error })
  }
  return simulation
}
