import { createHash } from 'node:crypto'
import type { Clock } from '../api/clock.ts'
import type { Resource } from '../api/resource.ts'
import type { Logger } from '../observability/logger.ts'
import type { EventSink } from '../operator/ports.ts'
import type { KubernetesClient } from './client.ts'
import { hasCode } from './errors.ts'
import { EVENTS, pathOf } from './object.ts'

const CONTROLLER = 'sluice.dev/operator'
/** The API server refuses longer notes. */
const NOTE_LENGTH = 1_024
/** A repetition within this time counts up the Event that exists; as client-go does. */
const SERIES_MS = 6 * 60_000
const REMEMBERED_SERIES = 1_000

interface Series {
  readonly name: string
  count: number
  lastMs: number
}

export interface EventOptions {
  readonly client: KubernetesClient
  readonly clock: Clock
  readonly logger: Logger
  /** Which replica of the operator reports. */
  readonly instance: string
}

/** Events of events.k8s.io/v1. Repetitions become a series of one Event. Nothing waits for them, and none of them can fail a reconcile. */
export function createEventSink({ client, clock, logger, instance }: EventOptions): EventSink {
  const known = new Map<string, Series>()

  async function create(about: Resource, type: string, reason: string, note: string, name: string): Promise<void> {
    const { namespace, uid, resourceVersion } = about.metadata
    const path = pathOf(EVENTS, namespace)
    const regarding = { apiVersion: about.apiVersion, kind: about.kind, namespace, name: about.metadata.name, uid, resourceVersion }
    const body = {
      apiVersion: EVENTS.apiVersion,
      kind: EVENTS.kind,
      metadata: { name, namespace },
      eventTime: microTime(clock.now()),
      reportingController: CONTROLLER,
      reportingInstance: instance,
      action: 'Reconcile',
      regarding,
      type,
      reason,
      note,
    }
    await client.send({ method: 'POST', path, body })
  }

  async function repeat(namespace: string, series: Series): Promise<void> {
    const body = { series: { count: series.count, lastObservedTime: microTime(clock.now()) } }
    await client.send({ method: 'PATCH', path: pathOf(EVENTS, namespace, series.name), contentType: 'application/merge-patch+json', body })
  }

  async function send(about: Resource, type: string, reason: string, note: string): Promise<void> {
    const key = JSON.stringify([about.metadata.uid, type, reason, note])
    const series = known.get(key)
    const nowMs = clock.monotonicMs()
    if (series !== undefined && nowMs - series.lastMs < SERIES_MS) {
      series.count++
      series.lastMs = nowMs
      try {
        await repeat(about.metadata.namespace, series)
        return
      } catch (error) {
        // Events expire: then the repetition is a new one.
        if (!hasCode(error, 'NotFound')) throw error
      }
    }
    const name = eventName(about.metadata.name, key, clock.now())
    remember(known, key, { name, count: 1, lastMs: nowMs })
    await create(about, type, reason, note, name)
  }

  return {
    emit(about, type, reason, message) {
      send(about, type, reason, cut(message, NOTE_LENGTH)).catch((error: unknown) => {
        logger.warn(
          { kind: about.kind, namespace: about.metadata.namespace, name: about.metadata.name, reason, err: error },
          'an Event could not be written',
        )
      })
    },
  }
}

function remember(known: Map<string, Series>, key: string, series: Series): void {
  known.delete(key)
  known.set(key, series)
  const [oldest] = known.keys()
  if (known.size > REMEMBERED_SERIES && oldest !== undefined) known.delete(oldest)
}

const eventName = (about: string, key: string, nowMs: number): string =>
  `${cut(about, 200)}.${createHash('sha256').update(`${key}${nowMs}`).digest('hex').slice(0, 16)}`

/** metav1.MicroTime wants six digits. */
export const microTime = (epochMs: number): string => new Date(epochMs).toISOString().replace('Z', '000Z')

const cut = (text: string, length: number): string => (text.length <= length ? text : `${text.slice(0, length - 3)}...`)
