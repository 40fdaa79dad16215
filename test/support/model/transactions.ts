import { KafkaError } from '../../../src/kafka/errors.ts'
import type { Commit } from '../../../src/kafka/log.ts'
import { Unavailable } from './partition.ts'
import type { Group, Identity } from './group.ts'
import type { Appended, PartitionLog, Writer } from './partition-log.ts'
import type { Network, Time } from './time.ts'

/** Brokers look for transactions that are too old every so often (`transaction.abort.timed.out.transaction.cleanup.interval.ms`). */
const SCAN_INTERVAL_MS = 10_000

const MARKER_RETRY_MS = 5

type Outcome = 'committed' | 'aborted'

/** One transaction. In each partition it ends with the marker there, not before. */
class Transaction {
  readonly writers = new Map<PartitionLog, Writer>()
  readonly groups = new Set<Group>()
  outcome: Outcome | undefined
  unwritten = 0
}

/** What the coordinator keeps of a transactional id. */
interface State {
  readonly id: string
  epoch: number
  timeoutMs: number
  /** Open, or its markers are being written. */
  transaction: Transaction | undefined
  last: Outcome | undefined
}

const fenced = (id: string): KafkaError => new KafkaError('Fenced', `a newer producer has the transactional id ${id}`, { retriable: false })

/** The transaction coordinator. A higher epoch of a transactional id fences the lower ones. */
export class Coordinator {
  readonly #time: Time
  readonly #network: Network
  readonly #note: (where: string, what: string) => void
  readonly #states = new Map<string, State>()
  awayUntilMs = -Infinity
  /** The next end of a transaction is carried out, but not answered: the coordinator goes away with the answer, for so long. */
  failsAfterEndMs = 0

  constructor(time: Time, network: Network, note: (where: string, what: string) => void) {
    this.#time = time
    this.#network = network
    this.#note = note
  }

  /** InitProducerId: ends what the last producer left open, then hands out the next epoch. */
  init(id: string, timeoutMs: number): number {
    this.#serve()
    const state = this.#states.get(id) ?? { id, epoch: -1, timeoutMs, transaction: undefined, last: undefined }
    this.#states.set(id, state)
    if (state.transaction?.outcome === undefined && state.transaction !== undefined) {
      state.epoch += 1
      this.#prepare(state, state.transaction, 'aborted')
    }
    if (state.transaction !== undefined) throw new Unavailable('CONCURRENT_TRANSACTIONS')
    state.timeoutMs = timeoutMs
    state.epoch += 1
    this.#note(id, `epoch ${state.epoch}`)
    return state.epoch
  }

  /** Produce: verified against the coordinator, as brokers do since 3.6. */
  produce(id: string, epoch: number, log: PartitionLog, records: readonly Appended[], sequence: number): number {
    return log.appendOnce(records, this.enlist(id, epoch, log), `${id} ${epoch}`, sequence)
  }

  /** AddPartitionsToTxn: the partition gets a marker, whether records of the transaction reach it or not. */
  enlist(id: string, epoch: number, log: PartitionLog): Writer {
    const transaction = this.#ongoing(id, epoch)
    const writer = transaction.writers.get(log) ?? { state: 'open' }
    transaction.writers.set(log, writer)
    return writer
  }

  /** AddOffsetsToTxn and TxnOffsetCommit. */
  offsets(id: string, epoch: number, group: Group, identity: Identity, commits: readonly Commit[]): void {
    const transaction = this.#ongoing(id, epoch)
    transaction.groups.add(group)
    group.propose(transaction, identity, commits)
  }

  /** EndTxn: answered before the markers are written. Asked a second time, it waits for them. */
  end(id: string, epoch: number, outcome: Outcome): void {
    this.#serve()
    const state = this.#states.get(id)
    if (state?.epoch !== epoch) throw fenced(id)
    const { transaction } = state
    if (transaction?.outcome === undefined && transaction !== undefined) {
      this.#prepare(state, transaction, outcome)
      if (this.failsAfterEndMs === 0) return
      this.awayUntilMs = this.#time.nowMs() + this.failsAfterEndMs
      this.failsAfterEndMs = 0
      throw new Unavailable('the coordinator went away')
    } else if (transaction !== undefined) throw new Unavailable('CONCURRENT_TRANSACTIONS')
    else if (state.last !== outcome) throw new KafkaError('Unexpected', `INVALID_TXN_STATE of ${id}`, { retriable: false })
  }

  #serve(): void {
    if (this.#time.nowMs() < this.awayUntilMs) throw new Unavailable('the transaction coordinator is away')
  }

  #ongoing(id: string, epoch: number): Transaction {
    this.#serve()
    const state = this.#states.get(id)
    if (state?.epoch !== epoch) throw fenced(id)
    if (state.transaction?.outcome !== undefined) throw new Unavailable('CONCURRENT_TRANSACTIONS')
    if (state.transaction !== undefined) return state.transaction
    const transaction = new Transaction()
    state.transaction = transaction
    state.last = undefined
    const scanMs = this.#network.markerMs() === 0 ? 0 : SCAN_INTERVAL_MS / 2
    this.#time.after(state.timeoutMs + scanMs, () => {
      if (state.transaction !== transaction || transaction.outcome !== undefined) return
      state.epoch += 1
      this.#prepare(state, transaction, 'aborted')
    })
    return transaction
  }

  #prepare(state: State, transaction: Transaction, outcome: Outcome): void {
    transaction.outcome = outcome
    this.#note(state.id, `${outcome} under epoch ${state.epoch}`)
    const written = (): void => {
      transaction.unwritten -= 1
      if (transaction.unwritten > 0) return
      state.transaction = undefined
      state.last = outcome
    }
    const markers = [
      ...[...transaction.writers].map(([log, writer]) => () => {
        if (!log.deleted && this.#time.nowMs() < Math.max(log.awayUntilMs, log.markersAwayUntilMs)) return false
        log.end(writer, outcome)
        return true
      }),
      ...[...transaction.groups].map(group => () => {
        if (group.away) return false
        group.settle(transaction, outcome)
        return true
      }),
    ]
    transaction.unwritten = markers.length
    for (const write of markers) this.#mark(write, written)
  }

  #mark(write: () => boolean, written: () => void): void {
    this.#time.after(this.#network.markerMs(), () => {
      if (write()) written()
      else
        this.#time.after(MARKER_RETRY_MS, () => {
          this.#mark(write, written)
        })
    })
  }
}
