import { call, pipelinePath, query } from './api.js'
import { badge, crumbs, data, fill, h, problem, say, table, when } from './dom.js'

/** One dead letter: what happened, its headers, and on request what it holds. */
export async function record({ namespace, name, partition, offset, search, leaving }) {
  const path = pipelinePath({ namespace, name })
  const topic = search.get('topic') ?? ''
  const [about, one] = await Promise.all([
    call(path, { signal: leaving }),
    call(`${path}/records/${partition}/${offset}${query({ topic })}`, { signal: leaving }),
  ])
  const stack = one.headers.find(header => header.name === 'sluice-error-stack')?.value
  const handled = one.handled === undefined ? badge('open', 'bad') : badge(one.handled === 'Redrive' ? 'redriven' : 'discarded', 'good')
  const offsets = `${partition}:${offset}`
  return h(
    'div',
    {},
    crumbs(h('a', { href: `#${path}` }, data(`${namespace}/${name}`))),
    h('h1', {}, `Record ${offsets} `, handled),
    h(
      'section',
      { class: 'card' },
      h('h2', {}, data(one.class || '(no class)')),
      h('p', { class: 'message' }, data(one.message)),
      facts(one),
    ),
    stack && h('section', { class: 'card' }, h('h2', {}, 'Stack'), h('pre', { class: 'data', tabindex: '0' }, stack)),
    h('section', { class: 'card' }, h('h2', {}, 'Headers'), headers(one.headers)),
    payload(`${path}/records/${partition}/${offset}/payload${query({ topic })}`, one, about.may.readPayloads, leaving),
    about.may.redrive &&
      one.handled === undefined &&
      h(
        'p',
        { class: 'actions' },
        h('a', { class: 'button', href: `#${path}/redrive${query({ topic, offsets })}` }, 'Redrive this record'),
      ),
  )
}

function facts({ died, key, fingerprint, disposition, attempts, origin }) {
  const from = origin && [data(`${origin.topic}[${origin.partition}] at ${origin.offset}`)]
  const known = [
    ['Died', when(died)],
    ['Why', disposition && data(disposition)],
    ['Deliveries', attempts === undefined ? undefined : String(attempts)],
    ['Key', key === undefined ? h('i', {}, 'none') : data(key)],
    ['Came from', from],
    ['Fingerprint', data(fingerprint)],
  ].filter(([, value]) => value !== undefined)
  return h('dl', { class: 'facts' }, ...known.map(([term, value]) => h('div', {}, h('dt', {}, term), h('dd', {}, ...[value].flat()))))
}

const shownValue = ({ value, valueBase64, number }) => (number !== undefined ? data(number) : textOrBytes(value, valueBase64))
const textOrBytes = (value, valueBase64) =>
  valueBase64 === undefined ? (value === null ? h('i', {}, 'null') : data(value)) : [badge('bytes', ''), ' ', data(valueBase64)]

const headers = all =>
  all.length === 0
    ? h('p', { class: 'empty' }, 'It has none.')
    : table(
        'Headers',
        ['Name', 'Value'],
        all.map(header => [data(header.name, { class: 'strong' }), h('div', { class: 'value' }, ...[shownValue(header)].flat())]),
      )

function payload(path, { valueBytes }, may, leaving) {
  const size = valueBytes === null ? 'no value' : `${valueBytes} bytes`
  const body = h('div', {})
  const show = async () => {
    try {
      const told = await call(path, { signal: leaving })
      fill(body, h('h3', {}, 'Key'), content(told.key, told.keyBase64), h('h3', {}, 'Value'), content(told.value, told.valueBase64))
      say('The payload is shown')
    } catch (error) {
      fill(body, problem(error))
    }
  }
  if (may)
    fill(
      body,
      h('p', { class: 'remark' }, `${size}. Who looks at it is written to the log.`),
      h('button', { type: 'button', click: show }, 'Show the payload'),
    )
  else fill(body, h('p', { class: 'remark' }, `${size}. You may not read payloads: the right is get deadletterpipelines/payloads.`))
  return h('section', { class: 'card' }, h('h2', {}, 'Payload'), body)
}

function content(text, base64) {
  if (base64 !== undefined) return h('pre', { class: 'data', tabindex: '0' }, `(Base64) ${base64}`)
  if (text === null) return h('p', { class: 'empty' }, 'null')
  return h('pre', { class: 'data', tabindex: '0' }, pretty(text))
}

/** Only what comes out the same: a number that JavaScript cannot hold, or a name that stands twice, must not be changed by looking at it. */
function pretty(text) {
  try {
    const value = JSON.parse(text)
    return typeof value === 'object' && JSON.stringify(value) === withoutBlanks(text) ? JSON.stringify(value, undefined, 2) : text
  } catch {
    return text
  }
}

function withoutBlanks(json) {
  let kept = ''
  let inText = false
  for (let i = 0; i < json.length; i++) {
    if (json[i] === '"') inText = !inText
    if (inText && json[i] === '\\') kept += json[i++]
    if (inText || !/\s/.test(json[i])) kept += json[i]
  }
  return kept
}
