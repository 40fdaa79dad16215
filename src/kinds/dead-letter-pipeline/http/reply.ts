import type { EpochMs } from '../../../api/resource.ts'
import type { CallFailureReason, CallOutcome } from '../../../worker/task.ts'
import { classOf, isDone } from './statuses.ts'

const SECONDS = /^[0-9]{1,9}$/
/** As RFC 9110 has it, in the form that servers send. */
const DATE = /^[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT$/

/** What an outcome means for a record. */
export type Reply =
  | { readonly type: 'done' }
  /** Nothing was sent. */
  | { readonly type: 'forbidden'; readonly errorClass: string }
  | {
      readonly type: 'failed'
      readonly errorClass: string
      /** HTTP status, or none. */
      readonly code: string
      readonly message: string
      /** As the application asks for. */
      readonly retryAfterMs: number | undefined
    }

/** @param host of the application, to name it in messages. */
export function replyOf(outcome: CallOutcome, host: string, now: EpochMs): Reply {
  if (outcome.type === 'failed') {
    const errorClass = `http.${outcome.reason}`
    if (outcome.reason === 'address-forbidden') return { type: 'forbidden', errorClass }
    return { type: 'failed', errorClass, code: '', message: outcome.message, retryAfterMs: undefined }
  }
  const { status, retryAfter, location } = outcome
  if (isDone(status)) return { type: 'done' }
  const message = `${host} answered ${status}${status >= 300 && status <= 399 ? redirected(location) : ''}`
  return { type: 'failed', errorClass: classOf(status), code: String(status), message, retryAfterMs: retryAfterMs(retryAfter, now) }
}

/** For the counter of calls: few values, whatever servers answer. */
export function shortOf(outcome: CallOutcome): `${number}xx` | CallFailureReason {
  return outcome.type === 'failed' ? outcome.reason : `${Math.floor(outcome.status / 100)}xx`
}

/** Following it would take the record, and the headers of the Secret, to a place that nobody named in a spec. */
function redirected(location: string | undefined): string {
  const to =
    location === undefined
      ? ''
      : `, to ${location
          .replace(/[?#].*$/s, '')
          .replaceAll(/[^\x21-\x7e]/g, '')
          .slice(0, 200)}`
  return `${to}: redirects are not followed; set spec.delivery.http.url to where the application is`
}

/** Seconds or an HTTP date; undefined: absent or unreadable. */
function retryAfterMs(text: string | undefined, now: EpochMs): number | undefined {
  if (text === undefined) return undefined
  if (SECONDS.test(text.trim())) return Number(text) * 1000
  const at = DATE.test(text) ? Date.parse(text) : NaN
  return Number.isNaN(at) ? undefined : Math.max(0, at - now)
}
