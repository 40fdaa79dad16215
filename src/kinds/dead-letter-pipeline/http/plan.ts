import { parseDuration } from '../../../api/duration.ts'
import type { Observed } from '../../../operator/observed.ts'
import type { Problem, SecretWish } from '../../../operator/plan.ts'
import type { BreakerConfig, HttpConfig } from '../config.ts'
import type { DeadLetterPipeline, DeadLetterPipelineSpec } from '../resource.ts'
import { decodeNote } from './note.ts'
import type { Note } from './note.ts'

type HttpSpec = NonNullable<DeadLetterPipelineSpec['delivery']['http']>

const DEFAULT_TIMEOUT_MS = 5_000
const DEFAULT_IN_FLIGHT = 64
const DEFAULT_FAILURE_RATIO = 0.5
const DEFAULT_MINIMUM = 20
const DEFAULT_WINDOW_MS = 30_000
const DEFAULT_PROBE_INTERVAL_MS = 5_000
/** Keys of a Secret of type kubernetes.io/tls. */
const CERTIFICATE_KEY = 'tls.crt'
const PRIVATE_KEY = 'tls.key'

/** What the workers must know to call the application; credentials are files of theirs. */
export function httpConfig({ source, breaker }: DeadLetterPipelineSpec, http: HttpSpec, waitingTopic: string | undefined): HttpConfig {
  const { url, timeout, maxInFlight, headersSecretRef, tls } = http
  return {
    source: source.topic,
    target: {
      url,
      timeoutMs: timeout === undefined ? DEFAULT_TIMEOUT_MS : parseDuration(timeout),
      maxInFlight: maxInFlight ?? DEFAULT_IN_FLIGHT,
      ...(headersSecretRef && { headersFolder: headersSecretRef.name }),
      ...(tls && { tls: tlsFiles(tls) }),
    },
    ...(breaker && { breaker: breakerConfig(breaker) }),
    ...(waitingTopic !== undefined && { waitingTopic }),
  }
}

const tlsFiles = ({ caSecretRef: ca, clientCertificateSecretRef: client, insecureSkipVerify }: NonNullable<HttpSpec['tls']>) => ({
  ...(ca && { caFile: `${ca.name}/${ca.key}` }),
  ...(client && { certificateFile: `${client.name}/${CERTIFICATE_KEY}`, keyFile: `${client.name}/${PRIVATE_KEY}` }),
  ...(insecureSkipVerify === true && { insecureSkipVerify }),
})

function breakerConfig({
  failureRatio,
  consecutiveFailures,
  minimum,
  window,
  probeInterval,
}: NonNullable<DeadLetterPipelineSpec['breaker']>): BreakerConfig {
  const ratio = failureRatio === undefined ? undefined : Number(failureRatio)
  return {
    ...(ratio !== undefined && { failureRatio: ratio }),
    ...(ratio === undefined && consecutiveFailures === undefined && { failureRatio: DEFAULT_FAILURE_RATIO }),
    // A window full of successes hides an outage until as much has failed, and became a dead letter meanwhile: so many in a row say it sooner.
    consecutiveFailures: consecutiveFailures ?? minimum ?? DEFAULT_MINIMUM,
    minimum: minimum ?? DEFAULT_MINIMUM,
    windowMs: window === undefined ? DEFAULT_WINDOW_MS : parseDuration(window),
    probeIntervalMs: probeInterval === undefined ? DEFAULT_PROBE_INTERVAL_MS : parseDuration(probeInterval),
  }
}

/** The Secrets that the workers read, and the keys that must be there. */
export const httpSecrets = ({ headersSecretRef, tls }: HttpSpec): readonly SecretWish[] => [
  ...(headersSecretRef ? [{ name: headersSecretRef.name, keys: [] }] : []),
  ...(tls?.caSecretRef ? [{ name: tls.caSecretRef.name, keys: [tls.caSecretRef.key] }] : []),
  ...(tls?.clientCertificateSecretRef ? [{ name: tls.clientCertificateSecretRef.name, keys: [CERTIFICATE_KEY, PRIVATE_KEY] }] : []),
]

/** Two pipelines in one group would each be given some of the partitions: half of the records would go to the wrong application. */
export function sharedSources({ spec }: DeadLetterPipeline, { siblings }: Observed): readonly Problem[] {
  if (spec.delivery.http === undefined) return []
  return siblings.flatMap(sibling => {
    const { spec: other, metadata } = sibling as DeadLetterPipeline
    if (other.delivery.http === undefined || other.source.group !== spec.source.group) return []
    const message = `spec.source.group ${spec.source.group} is also that of DeadLetterPipeline ${metadata.namespace}/${metadata.name}: with delivery.http each needs a group of its own`
    return [{ severity: 'Stalled', reason: 'InvalidSpec', message }]
  })
}

/** `Open` when the breaker of any worker is; undefined without a breaker, or before any worker has noted anything. */
export function breakerState(spec: DeadLetterPipelineSpec, observed: Observed): 'Open' | 'Closed' | undefined {
  if (spec.breaker === undefined || spec.delivery.http === undefined) return undefined
  const notes = notesOf(observed)
  if (notes.length === 0) return undefined
  return notes.some(({ condition }) => condition === 'open') ? 'Open' : 'Closed'
}

/** How the calls go, as the workers noted it. */
export function callProblems({ spec }: DeadLetterPipeline, observed: Observed): readonly Problem[] {
  const { http } = spec.delivery
  if (http === undefined) return []
  const notes = notesOf(observed)
  const url = withoutQuery(http.url)
  const first = (condition: Note['condition']): Note | undefined => notes.find(note => note.condition === condition)
  const [forbidden, open, failing] = [first('forbidden'), first('open'), first('failing')]
  const full = notes.filter(note => note.full)
  const problems: Problem[] = []
  if (forbidden !== undefined)
    problems.push(
      notReady(
        'AddressForbidden',
        `spec.delivery.http.url: ${url} leads to an address that workers must not call, so nothing is delivered. Whoever runs Sluice can allow it (calls.allow of the chart)`,
      ),
    )
  if (open !== undefined)
    problems.push(
      notReady(
        'BreakerOpen',
        `The application at ${url} fails (${open.lastError}): its records are held and it is probed every ${spec.breaker?.probeInterval ?? `${DEFAULT_PROBE_INTERVAL_MS / 1000}s`} until it answers. Nothing is dead-lettered meanwhile`,
      ),
    )
  else if (failing !== undefined)
    problems.push(
      notReady(
        'CallsFailing',
        `Every call to the application at ${url} fails (${failing.lastError}). Its records are retried and become dead letters once their attempts are spent; spec.breaker would hold them instead`,
      ),
    )
  if (full.length > 0)
    problems.push({
      severity: 'Warning',
      reason: 'OrderingFull',
      message: `${full.length} partitions of ${spec.source.topic} wait for failed keys: as many records stand behind them as may. They go on when a key succeeds or its attempts are spent (spec.retry)`,
    })
  return problems
}

const notesOf = ({ readings }: Observed): readonly Note[] => (readings?.positions ?? []).flatMap(({ note }) => decodeNote(note) ?? [])

/** It may hold a token. */
const withoutQuery = (url: string): string => url.replace(/\?.*$/s, '')

const notReady = (reason: Problem['reason'], message: string): Problem => ({ severity: 'NotReady', reason, message })
