import type { Clock } from '../api/clock.ts'
import type { Counter, Gauge, Histogram, Metrics } from '../observability/metrics.ts'
import type { BrokerTime } from './broker-time.ts'
import type { Hosted } from './hosted.ts'
import type { Observation, TaskFamily, TaskMetric } from './task.ts'

const SECONDS = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

export type Outcome = 'committed' | 'aborted' | 'failed'

type Recorder = (observation: Observation) => void

/** The kernel's own metrics, and those that the kinds declare. Declared once per process; sessions come and go. */
export class WorkerMetrics {
  readonly transactionSeconds: Histogram
  readonly holdSeconds: Histogram
  readonly transactions: Counter
  readonly fences: Counter
  readonly recordsRead: Counter
  readonly recordsWritten: Counter
  readonly restoreSeconds: Histogram
  readonly sessions: Counter
  readonly #recorders = new Map<string, Recorder>()
  readonly #shown = new Map<string, Map<string, Readonly<Record<string, string>>>>()
  #hosted: () => readonly Hosted[] = () => []
  readonly #clock: Clock
  readonly #metrics: Metrics

  constructor(metrics: Metrics, families: readonly TaskFamily[], clock: Clock) {
    this.#clock = clock
    this.transactionSeconds = metrics.histogram({
      name: 'sluice_worker_transaction_seconds',
      help: 'From the beginning of a Kafka transaction to the end of its commit, without the time for which it was held until its messages were due.',
      buckets: SECONDS,
    })
    this.holdSeconds = metrics.histogram({
      name: 'sluice_worker_transaction_hold_seconds',
      help: 'Time for which a Kafka transaction, ready to be committed, was held until its messages were due.',
      buckets: SECONDS,
    })
    this.transactions = metrics.counter({
      name: 'sluice_worker_transactions_total',
      help: 'Kafka transactions by outcome; aborted ones were tried again, failed ones restarted the session.',
      labels: ['outcome'],
      zero: ['committed', 'aborted', 'failed'].map(outcome => ({ outcome })),
    })
    this.fences = metrics.counter({ name: 'sluice_worker_fences_total', help: 'Predecessors that were fenced at a take-over.', zero: [{}] })
    this.recordsRead = metrics.counter({ name: 'sluice_worker_records_read_total', help: 'Records handed to tasks.', zero: [{}] })
    this.recordsWritten = metrics.counter({ name: 'sluice_worker_records_written_total', help: 'Records committed.', zero: [{}] })
    this.restoreSeconds = metrics.histogram({
      name: 'sluice_worker_restore_seconds',
      help: 'From the assignment of a partition until its task runs.',
      buckets: SECONDS,
    })
    this.sessions = metrics.counter({
      name: 'sluice_worker_sessions_total',
      help: 'Times the worker joined its group; more than one means that it was fenced or lost the cluster.',
      zero: [{}],
    })
    this.#declareGauges(metrics)
    this.#metrics = metrics
    this.adopt(families)
  }

  /** Kinds that come later declare theirs, too. */
  adopt(families: readonly TaskFamily[]): void {
    for (const metric of families.flatMap(family => family.metrics ?? [])) this.#declare(this.#metrics, metric)
  }

  /** Whose tasks are shown from now on. */
  watch(hosted: () => readonly Hosted[]): void {
    this.#hosted = hosted
  }

  record(observations: readonly Observation[]): void {
    for (const observation of observations) this.#recorders.get(observation.metric)?.(observation)
  }

  #declareGauges(metrics: Metrics): void {
    metrics.gauge({
      name: 'sluice_worker_tasks',
      help: 'Owned partitions by state.',
      labels: ['state'],
      collect: gauge => {
        for (const state of ['restoring', 'running', 'stopped']) {
          gauge.set(this.#hosted().filter(hosted => hosted.state === state).length, { state })
        }
      },
    })
    metrics.gauge({
      name: 'sluice_worker_memory_bytes',
      help: 'Bytes of records that tasks hold in memory.',
      collect: gauge => {
        gauge.set(this.#hosted().reduce((sum, { task }) => sum + task.bytes, 0))
      },
    })
    this.#declareClock(metrics)
    metrics.gauge({
      name: 'sluice_worker_task_stopped',
      help: '1 for a task that was stopped because going on would lose or double records; the reason says what to look at.',
      labels: ['kind', 'name', 'partition', 'reason'],
      collect: gauge => {
        const stopped = this.#hosted().flatMap(({ family: { resource }, partition, reason }): Observation[] =>
          reason === undefined
            ? []
            : [
                {
                  metric: 'stopped',
                  value: 1,
                  labels: { kind: resource.kind, name: `${resource.namespace}/${resource.name}`, partition: String(partition), reason },
                },
              ],
        )
        this.#show('sluice_worker_task_stopped', gauge, stopped)
      },
    })
  }

  /** Of the partition whose leader differs most, or is known least. Nothing is shown before the first stamp. */
  #declareClock(metrics: Metrics): void {
    const show = (name: string, help: string, of: (brokerTime: BrokerTime) => number): void => {
      metrics.gauge({
        name,
        help,
        collect: gauge => {
          const values = this.#hosted().flatMap(({ brokerTime }) => (brokerTime.known ? [of(brokerTime) / 1000] : []))
          const [first] = values
          const worst = values.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a), 0)
          this.#show(name, gauge, first === undefined ? [] : [{ metric: name, value: worst }])
        },
      })
    }
    show(
      'sluice_worker_clock_skew_seconds',
      "How far the worker's clock is ahead of a broker's (negative: behind), at least; 0 where the measurement cannot tell.",
      brokerTime => brokerTime.skewMs(this.#clock),
    )
    show('sluice_worker_clock_uncertainty_seconds', "How much the measurement of a broker's clock leaves open.", brokerTime =>
      brokerTime.uncertaintyMs(this.#clock),
    )
  }

  /** Two families of a kind declare the same names. */
  #declare(metrics: Metrics, metric: TaskMetric): void {
    const { name, help, labels = [], buckets = SECONDS } = metric
    if (this.#recorders.has(name)) return
    switch (metric.type) {
      case 'counter': {
        const counter = metrics.counter({ name, help, labels })
        this.#recorders.set(name, ({ value, labels: given }) => {
          counter.inc(given, value)
        })
        return
      }
      case 'histogram': {
        const histogram = metrics.histogram({ name, help, labels, buckets })
        this.#recorders.set(name, ({ value, labels: given }) => {
          histogram.observe(value, given)
        })
        return
      }
      case 'gauge': {
        const gauge = metrics.gauge({
          name,
          help,
          labels,
          collect: port => {
            const seen = this.#hosted()
              .filter(({ state }) => state === 'running')
              .flatMap(({ task, brokerTime }) => task.gauges(brokerTime.now(this.#clock)))
            this.#show(
              name,
              port,
              seen.filter(observation => observation.metric === name),
            )
          },
        })
        this.#recorders.set(name, ({ value, labels: given }) => {
          gauge.set(value, given)
        })
        return
      }
      default:
        metric.type satisfies never
    }
  }

  /** Sets what is there and drops the series of partitions that moved away: two workers must not report the same one. */
  #show(name: string, gauge: Gauge, observations: readonly Observation[]): void {
    const before = this.#shown.get(name) ?? new Map<string, Readonly<Record<string, string>>>()
    const now = new Map<string, Readonly<Record<string, string>>>()
    for (const { value, labels = {} } of observations) {
      now.set(JSON.stringify(labels), labels)
      gauge.set(value, labels)
    }
    for (const [key, labels] of before) if (!now.has(key)) gauge.remove(labels)
    this.#shown.set(name, now)
  }
}
