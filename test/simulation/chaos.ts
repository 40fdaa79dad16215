import type { Random } from '../support/delay-queue/random.ts'
import type { Cluster } from '../support/model/cluster.ts'
import type { Fleet, Running } from './fleet.ts'
import type { Subject } from './subject.ts'
import type { Trace } from './trace.ts'
import type { VirtualTime } from './virtual-time.ts'
import { FAULTS } from './weather.ts'
import type { Fault, SeededNetwork, Weather } from './weather.ts'

const STEP_MS = 250

export interface ChaosOptions {
  readonly time: VirtualTime
  readonly random: Random
  readonly cluster: Cluster
  readonly network: SeededNetwork
  readonly fleet: Fleet
  readonly weather: Weather
  readonly trace: Trace
  readonly subject: Subject
}

/** Everything that goes wrong, until it is told to stop. */
export class Chaos {
  readonly #with: ChaosOptions
  #over = false
  /** The most that a clock was ever off. */
  skewMs = 0

  constructor(options: ChaosOptions) {
    this.#with = options
    options.fleet.started = running => {
      this.#early(running)
    }
  }

  start(): void {
    this.#with.time.after(STEP_MS, () => {
      if (this.#over) return
      for (const fault of FAULTS) if (this.#with.random.chance((this.#with.weather.faults[fault] * STEP_MS) / 1000)) this.#let(fault)
      this.start()
    })
  }

  /** All is well again, from now on. */
  stop(): void {
    this.#over = true
    const { cluster, network, fleet, weather } = this.#with
    network.calm = true
    network.slow = false
    for (const log of cluster.logs) log.awayUntilMs = log.markersAwayUntilMs = -Infinity
    cluster.groupsAwayUntilMs = -Infinity
    cluster.coordinator.awayUntilMs = -Infinity
    cluster.coordinator.failsAfterEndMs = 0
    cluster.metadataAwayUntilMs = -Infinity
    for (const { process } of fleet.running) if (process.stopped) process.goOn()
    fleet.scale(weather.workers)
  }

  #let(fault: Fault): void {
    const { random, cluster, fleet, weather, network, time } = this.#with
    const nowMs = time.nowMs()
    switch (fault) {
      case 'crash':
        this.#withOne(running => {
          fleet.crash(running)
        })
        return
      case 'pause':
      case 'stall':
        this.#withOne(running => {
          this.#freeze(running, fault)
        })
        return
      case 'expel': {
        const { members } = cluster.group(this.#with.subject.group)
        if (members.length > 0) this.#note(`expels ${this.#expel(random.pick(members))}`)
        return
      }
      case 'scale': {
        const wanted = random.below(weather.workers + 2)
        this.#note(`scales to ${wanted}`)
        fleet.scale(wanted)
        return
      }
      case 'roll':
        this.#withOne(running => {
          fleet.stop(running)
        })
        return
      case 'clock':
        this.#withOne(({ name, process }) => {
          process.skewMs = random.below(4_001) - 2_000
          this.skewMs = Math.max(this.skewMs, Math.abs(process.skewMs))
          this.#note(`sets the clock of ${name} off by ${process.skewMs} ms`)
        })
        return
      case 'leader': {
        const log = random.pick(cluster.logs)
        log.awayUntilMs = nowMs + random.below(random.pick([100, 1_000, 5_000]))
        this.#note(`${log.topic}/${log.partition} has no leader until ${log.awayUntilMs}`)
        return
      }
      case 'groups':
        cluster.groupsAwayUntilMs = nowMs + random.below(random.pick([100, 2_000, 8_000]))
        this.#note(`the group coordinator is away until ${cluster.groupsAwayUntilMs}`)
        return
      case 'transactions':
        cluster.coordinator.awayUntilMs = nowMs + random.below(random.pick([100, 2_000, 20_000]))
        this.#note(`the transaction coordinator is away until ${cluster.coordinator.awayUntilMs}`)
        return
      case 'commit':
        cluster.coordinator.failsAfterEndMs = 14_000 + random.below(4_000)
        this.#note(`the transaction coordinator goes away with its next answer for ${cluster.coordinator.failsAfterEndMs} ms`)
        return
      case 'metadata':
        cluster.metadataAwayUntilMs = nowMs + random.below(12_000)
        this.#note(`no broker tells of topics until ${cluster.metadataAwayUntilMs}`)
        return
      case 'slow':
        network.slow = !network.slow
        return
      case 'markers':
        this.#delayMarkers()
        return
      case 'compact':
        for (const log of this.#with.subject.compacted.flatMap(topic => cluster.partitionsOf(topic) ?? []))
          log.compact(random.below(log.high + 1), random.pick([0, 86_400_000]))
        return
      case 'truncate':
        this.#truncate()
        return
      case 'contract':
        this.#note('what the workers are told changes')
        fleet.share()
        return
      case 'foreign':
        return
    }
    fault satisfies never
  }

  #expel(member: string): string {
    this.#with.cluster.group(this.#with.subject.group).expel(member)
    return member
  }

  #note(what: string): void {
    this.#with.trace.note('chaos', what)
  }

  #withOne(action: (running: Running) => void): void {
    const { fleet, random } = this.#with
    const running = fleet.running.filter(({ process }) => !process.stopped)
    if (running.length > 0) action(random.pick(running))
  }

  /** The group has a new generation: while a partition is taken over, a pause makes a zombie that nobody knows by name. */
  shaken(): void {
    const { random, time, weather } = this.#with
    if (this.#over || !random.chance(2 * weather.faults.pause)) return
    time.after(random.below(random.pick([20, 100])), () => {
      const { fleet } = this.#with
      const zombie = fleet.running.find(
        ({ worker, process }) => !process.stopped && worker.tasks().some(({ state }) => state === 'restoring'),
      )
      if (this.#over || zombie === undefined) return
      const forMs = 6_500 + random.below(3_000)
      this.#freeze(zombie, 'pause', forMs)
      if (random.chance(0.7)) this.#after(zombie, forMs + random.below(300))
    })
  }

  /** What a zombie did when it came back, the next owner reads. */
  #after(zombie: Running, delayMs: number): void {
    const { random, time, fleet } = this.#with
    time.after(delayMs, () => {
      const others = fleet.running.filter(running => running !== zombie)
      if (!this.#over && others.length > 0) fleet.crash(random.pick(others))
    })
  }

  /** Of some partitions, while a partition changes hands. */
  #delayMarkers(): void {
    const { random, cluster, fleet, time } = this.#with
    const topic = random.pick(this.#with.subject.transactional)
    const untilMs = time.nowMs() + random.below(4_000)
    for (const log of cluster.partitionsOf(topic) ?? []) log.markersAwayUntilMs = untilMs
    this.#note(`markers of ${topic} are late until ${untilMs}`)
    if (!random.chance(0.6)) return
    time.after(random.below(1_500), () => {
      if (this.#over) return
      this.#withOne(running => {
        fleet.stop(running)
      })
    })
  }

  /** While it takes over what others left. */
  #early(running: Running): void {
    const { random, time, weather } = this.#with
    if (this.#over) return
    const pauses = random.chance(weather.faults.pause)
    const crashes = random.chance(weather.faults.crash)
    if (!pauses && !crashes) return
    time.after(random.below(300), () => {
      if (this.#over || !running.process.alive) return
      if (pauses) this.#freeze(running, 'pause', 6_000 + random.below(4_000))
      else this.#with.fleet.crash(running)
    })
  }

  #freeze({ name, process }: Running, fault: 'pause' | 'stall', forMs = this.#spanMs()): void {
    const { time } = this.#with
    this.#note(`${fault}s ${name} for ${forMs} ms`)
    process.stop(fault === 'pause' ? 'all' : 'javascript')
    time.after(forMs, () => {
      if (process.stopped) process.goOn()
    })
  }

  #spanMs(): number {
    const { random } = this.#with
    return random.below(random.pick([50, 1_000, 8_000, 15_000]))
  }

  /** Retention removes what everyone is done with: sources below their positions, the journal below the point where a restore begins. */
  #truncate(): void {
    const { cluster, subject, random } = this.#with
    const { journal: journalTopic, sources } = subject
    if (journalTopic === undefined) return
    const group = cluster.group(subject.group)
    for (const log of sources.flatMap(topic => cluster.partitionsOf(topic) ?? [])) {
      const commit = group.offset(log)
      if (commit === undefined || !random.chance(0.5) || !group.stable(log)) continue
      if (commit.offset > log.low) log.low = commit.offset
      const journal = cluster.log({ topic: journalTopic, partition: log.partition })
      const from = log.topic === sources[0] ? journalStart(commit.metadata) : undefined
      if (from !== undefined && from > journal.low) journal.low = Math.min(from, journal.high)
    }
  }
}

function journalStart(metadata: string): number | undefined {
  try {
    const { m } = JSON.parse(metadata) as { m?: string }
    const { j } = JSON.parse(m ?? '') as { j?: unknown }
    return typeof j === 'number' ? j : undefined
  } catch {
    return undefined
  }
}
