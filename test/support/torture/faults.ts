import { setTimeout as pause } from 'node:timers/promises'
import type { Random } from '../delay-queue/random.ts'
import type { KafkaCluster } from '../kafka-cluster.ts'
import type { Fleet } from './fleet.ts'

export const FAULTS = ['kill', 'stop', 'restartBroker', 'killBroker', 'cut', 'stall', 'block', 'scale'] as const
export type Fault = (typeof FAULTS)[number]

/** Something that was done to the workers or to Kafka. */
export interface Event {
  readonly atMs: number
  readonly fault: Fault | 'note'
  readonly what: string
}

/** A worker that was killed while all was well: its partitions tell how long a take-over takes. */
export interface MeasuredKill {
  readonly atMs: number
  readonly worker: string
  readonly partitions: readonly number[]
}

const MOST_FROZEN = 2
const SETTLE_WITHIN_MS = 120_000

/** Does harm, and writes down what and when. Each fault is over, or will be in known time, when its promise resolves. */
export class Faults {
  readonly events: Event[] = []
  readonly measured: MeasuredKill[] = []
  readonly #cluster: KafkaCluster
  readonly #fleet: Fleet
  readonly #random: Random
  #frozenUntilMs: number[] = []

  constructor(cluster: KafkaCluster, fleet: Fleet, random: Random) {
    this.#cluster = cluster
    this.#fleet = fleet
    this.#random = random
  }

  note(what: string): void {
    this.#tell('note', what)
  }

  async kill(): Promise<void> {
    const worker = this.#anyone()
    if (worker === undefined) return
    this.#tell('kill', `SIGKILL ${worker}`)
    await this.#fleet.kill(worker)
  }

  /** SIGKILL of one of three that are well, and no other fault for a while: what comes late comes late for this. */
  async killMeasured(quietMs: number): Promise<void> {
    await this.heal(3)
    const worker = this.#anyone()
    if (worker === undefined) return
    const partitions = this.#fleet.kill(worker)
    const atMs = Date.now()
    this.#tell('kill', `SIGKILL ${worker} with all well`)
    this.measured.push({ atMs, worker, partitions: await partitions })
    await pause(quietMs)
  }

  /** SIGSTOP; SIGCONT comes by itself. */
  stop(forMs: number): void {
    const now = Date.now()
    this.#frozenUntilMs = this.#frozenUntilMs.filter(untilMs => untilMs > now)
    const worker = this.#anyone()
    if (worker === undefined || this.#frozenUntilMs.length >= MOST_FROZEN) return
    this.#frozenUntilMs.push(now + forMs)
    this.#tell('stop', `SIGSTOP ${worker} for ${forMs} ms`)
    this.#fleet.freeze(worker, forMs)
  }

  async restartBroker(): Promise<void> {
    const broker = this.#random.below(this.#cluster.brokers.length)
    this.#tell('restartBroker', `restart broker ${broker + 1}`)
    await this.#cluster.brokers[broker]!.restart()
    this.note(`broker ${broker + 1} is back`)
  }

  async killBroker(downMs: number): Promise<void> {
    const broker = this.#random.below(this.#cluster.brokers.length)
    this.#tell('killBroker', `SIGKILL broker ${broker + 1}, start after ${downMs} ms`)
    await this.#cluster.brokers[broker]!.kill()
    await pause(downMs)
    await this.#cluster.brokers[broker]!.restart()
    this.note(`broker ${broker + 1} is back`)
  }

  /** Resets that share of the workers' connections. */
  cut(share: number): void {
    this.#tell('cut', `reset ${share * 100} % of ${this.#connections} connections`)
    for (const proxy of this.#cluster.proxies) proxy.cut(() => this.#random.chance(share))
  }

  /** That share of the workers' connections stands still; what they carry arrives late. */
  async stall(share: number, forMs: number): Promise<void> {
    this.#tell('stall', `hold ${share * 100} % of ${this.#connections} connections for ${forMs} ms`)
    for (const proxy of this.#cluster.proxies) proxy.stall(() => this.#random.chance(share))
    await pause(forMs)
    this.#healProxies()
  }

  /** Workers reach no broker at all. */
  async block(forMs: number): Promise<void> {
    this.#tell('block', `refuse ${this.#connections} connections for ${forMs} ms`)
    for (const proxy of this.#cluster.proxies) proxy.block()
    await pause(forMs)
    this.#healProxies()
  }

  async scale(to: number): Promise<void> {
    this.#tell('scale', `scale ${this.#fleet.size} to ${to}`)
    await this.#fleet.scale(to)
  }

  /** Ends all faults and waits until `workers` share the partitions. Rejects when they do not in time: workers hang. */
  async heal(workers: number): Promise<void> {
    this.#healProxies()
    if (this.#fleet.size !== workers) await this.scale(workers)
    await this.#fleet.settled(SETTLE_WITHIN_MS)
    this.note(`${workers} workers share the partitions`)
  }

  #healProxies(): void {
    for (const proxy of this.#cluster.proxies) proxy.heal()
  }

  #anyone(): string | undefined {
    const awake = this.#fleet.awake()
    return awake.length === 0 ? undefined : this.#random.pick(awake)
  }

  get #connections(): number {
    return this.#cluster.proxies.reduce((sum, { connections }) => sum + connections, 0)
  }

  #tell(fault: Event['fault'], what: string): void {
    this.events.push({ atMs: Date.now(), fault, what })
  }
}
