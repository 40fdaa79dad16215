import { KafkaError } from '../../../src/kafka/errors.ts'
import { Unavailable } from './partition.ts'
import type { Cluster } from './cluster.ts'
import type { Host } from './time.ts'

/** A client's way to the brokers: every call is a request, an effect there and an answer, each at a time of its own. */
export class Remote {
  readonly cluster: Cluster
  readonly host: Host

  constructor(cluster: Cluster, host: Host) {
    this.cluster = cluster
    this.host = host
  }

  get nowMs(): number {
    return this.cluster.time.nowMs()
  }

  /**
   * Calls `effect` at the broker, once or, where an answer was lost, again. `answered` runs in the background of the process. What fails for now is
   * tried again until the timeout.
   */
  request<Answer>(
    what: string,
    timeoutMs: number,
    effect: () => Answer,
    answered: (outcome: { readonly answer: Answer } | { readonly error: KafkaError }) => void,
  ): void {
    const { host, cluster } = this
    const { time, network } = cluster
    const deadlineMs = time.nowMs() + timeoutMs
    const again = (reason: string): void => {
      const waitMs = network.retryMs()
      const restMs = deadlineMs - time.nowMs()
      host.background(Math.min(waitMs, Math.max(0, restMs)), () => {
        if (waitMs < restMs) attempt()
        else answered({ error: new KafkaError('Timeout', `${what}: no answer within ${timeoutMs} ms: ${reason}`, { retriable: true }) })
      })
    }
    const attempt = (): void => {
      const fate = network.fate()
      if (fate === 'request lost') {
        again(fate)
        return
      }
      time.after(network.delayMs(), () => {
        if (!host.alive && !network.outlives()) return
        let outcome: { readonly answer: Answer } | { readonly error: KafkaError | Unavailable }
        try {
          outcome = { answer: effect() }
        } catch (error) {
          if (!(error instanceof KafkaError) && !(error instanceof Unavailable)) throw error
          outcome = { error }
        }
        if (fate === 'answer lost') {
          again(fate)
          return
        }
        host.background(network.delayMs(), () => {
          if (!('error' in outcome)) answered(outcome)
          else if (outcome.error instanceof Unavailable) again(outcome.error.message)
          else answered({ error: outcome.error })
        })
      })
    }
    attempt()
  }

  /** The same as a promise, which is settled on the thread that runs JavaScript. */
  call<Answer>(what: string, timeoutMs: number, effect: () => Answer): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.request(what, timeoutMs, effect, outcome => {
        this.host.after(0, () => {
          if ('answer' in outcome) resolve(outcome.answer)
          else reject(outcome.error)
        })
      })
    })
  }
}
