import type { CallRequest, LogHeader } from '../../../worker/task.ts'
import { HEADER } from '../header-names.ts'
import type { Delivery } from './delivery.ts'

/** Servers refuse a head of more than 16 KiB; some, of more than 8. */
const MOST_HEADER_BYTES = 6_144
const LONGEST_VALUE_BYTES = 4_096
/** What the HTTP binding of CloudEvents may leave as it is. */
const PLAIN = /^[\x21\x23\x24\x26-\x7e]*$/
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const ATTRIBUTE = /^[a-z0-9]{1,64}$/
const CONTENT_TYPE = /^[\x20-\x7e]{1,256}$/
const STRUCTURED = /^application\/cloudevents/i
/** The trace goes on where the producer began it; these three have a meaning of their own in HTTP. */
const TRACE = new Set(['traceparent', 'tracestate', 'baggage'])
const TOLD: readonly string[] = [HEADER.firstFailureAt, HEADER.errorClass, HEADER.errorCode, 'sluice-redrive-count', 'sluice-redrive-id']
/** Kafka's binding of CloudEvents: a header for each attribute. */
const EVENT_PREFIX = 'ce_'

type Header = readonly [name: string, value: string]

export interface RequestSource {
  readonly namespace: string
  readonly name: string
  readonly maxAttempts: number
}

/**
 * The record as an HTTP request: CloudEvents 1.0 in binary mode. A record that is a CloudEvent already, by Kafka's binding, stays the event that it is; any
 * other is wrapped into one. Other headers of the record come as `sluice-header-<name>`: under its own name, whoever may write to the topic could tell the
 * application what only its infrastructure may, such as who is calling.
 * @see https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
 */
export function requestOf(delivery: Delivery, source: RequestSource): CallRequest {
  const { record, attempt, origin } = delivery
  const place = `${origin.topic}-${origin.partition}-${origin.offset}`
  const own: Header[] = [
    // The same for every delivery of the record, whatever crashed in between.
    ['idempotency-key', place],
    [HEADER.attempt, String(attempt)],
    [HEADER.maxAttempts, String(source.maxAttempts)],
    [HEADER.originTopic, origin.topic],
    [HEADER.originPartition, String(origin.partition)],
    [HEADER.originOffset, String(origin.offset)],
    [HEADER.originTimestamp, String(origin.timestampMs)],
  ]
  if (record.value === null) own.push(['sluice-null-value', 'true'])
  for (const name of TOLD) {
    const value = delivery.told.get(name)
    if (value) own.push([name, encoded(value.toString('utf8'))])
  }
  own.push(...eventHeaders(delivery, source, place), ...keyHeaders(record.key), ...otherHeaders(record.headers))
  return { headers: own, body: record.value }
}

function eventHeaders({ record: { headers }, origin }: Delivery, { namespace, name }: RequestSource, place: string): readonly Header[] {
  const type = textOf(headers, 'content-type')
  const content: Header = ['content-type', type !== undefined && CONTENT_TYPE.test(type) ? type : 'application/octet-stream']
  // The whole event is the body.
  if (STRUCTURED.test(content[1])) return [content]
  if (textOf(headers, 'ce_specversion') !== undefined && textOf(headers, 'ce_id') !== undefined)
    return [content, ...eventAttributes(headers)]
  return [
    content,
    ['ce-specversion', '1.0'],
    ['ce-id', place],
    ['ce-source', `/sluice/${namespace}/${name}#${origin.topic}`],
    ['ce-type', 'dev.sluice.record'],
    ['ce-time', new Date(origin.timestampMs).toISOString()],
  ]
}

const eventAttributes = (headers: readonly LogHeader[]): readonly Header[] =>
  headers.flatMap(([name, value]): readonly Header[] => {
    const attribute = name.slice(EVENT_PREFIX.length)
    return name.startsWith(EVENT_PREFIX) && ATTRIBUTE.test(attribute) && value && value.length <= LONGEST_VALUE_BYTES
      ? [[`ce-${attribute}`, encoded(value.toString('utf8'))]]
      : []
  })

/** Text as the partitioning extension of CloudEvents has it; bytes that are no text in base64. */
function keyHeaders(key: Buffer | null): readonly Header[] {
  if (key === null || key.length > LONGEST_VALUE_BYTES) return []
  const text = key.toString('utf8')
  return Buffer.from(text).equals(key) ? [['ce-partitionkey', encoded(text)]] : [['sluice-key-base64', key.toString('base64')]]
}

function otherHeaders(headers: readonly LogHeader[]): readonly Header[] {
  const written: Header[] = []
  let bytes = 0
  let omitted = 0
  for (const [name, value] of headers) {
    if (name.startsWith(EVENT_PREFIX) || name.startsWith('sluice-') || name === 'content-type') continue
    const text = encoded(value?.toString('utf8') ?? '')
    bytes += name.length + text.length
    if (!TOKEN.test(name) || bytes > MOST_HEADER_BYTES) omitted += 1
    else written.push([TRACE.has(name) ? name : `sluice-header-${name.toLowerCase()}`, text])
  }
  return omitted === 0 ? written : [...written, ['sluice-headers-omitted', String(omitted)]]
}

function textOf(headers: readonly LogHeader[], name: string): string | undefined {
  return headers.findLast(([other]) => other.toLowerCase() === name)?.[1]?.toString('utf8')
}

/** As the HTTP binding of CloudEvents wants values: what is no printable ASCII, and space, quote and percent, as percent and hexadecimal. */
function encoded(text: string): string {
  if (PLAIN.test(text)) return text
  return text
    .toWellFormed()
    .replaceAll(/[^\x21\x23\x24\x26-\x7e]/gu, character =>
      [...Buffer.from(character)].map(byte => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
    )
}
