import { call, pipelinePath, query } from './api.js'
import { badge, count, crumbs, data, fill, h, plural, problem, table, when } from './dom.js'
import { filterForm, filtersIn, selectOf } from './filters.js'
import { readiness } from './pipelines.js'
import { redrives } from './redrives.js'
import { search } from './search.js'

const TABS = [
  ['groups', 'Failures'],
  ['records', 'Records'],
  ['redrives', 'Redrives'],
]
const MESSAGE_LENGTH = 160
const short = text => (text.length <= MESSAGE_LENGTH ? text : `${text.slice(0, MESSAGE_LENGTH)}…`)

/** The dead letters of one pipeline: by failure, one by one, and what was done about them. */
export async function pipeline({ namespace, name, tab, search: asked, leaving }) {
  const path = pipelinePath({ namespace, name })
  const about = await call(path, { signal: leaving })
  const topic = asked.get('topic') ?? about.topics[0]
  const unhandled = asked.get('unhandled') === 'true'
  const filters = filtersIn(asked)
  const at = (where, more) => `#${path}/${where}${query({ topic: topic === about.topics[0] ? '' : topic, ...more })}`
  const view = { path, about, topic, unhandled, filters, made: asked.get('made'), leaving, at }
  const body = h('div', {})
  if (tab === 'redrives') void redrives(body, view)
  else void (tab === 'records' ? records : groups)(body, view)
  return h(
    'div',
    {},
    crumbs(),
    h('h1', {}, data(`${namespace}/${name}`), ' ', readiness(about)),
    h('p', { class: 'remark' }, 'Failures of ', data(about.group), ' with ', data(about.source), topics(view, tab)),
    h(
      'nav',
      { class: 'tabs', 'aria-label': 'Views' },
      ...TABS.map(([id, label]) => h('a', { href: at(id, { ...filters, unhandled }), 'aria-current': id === tab && 'page' }, label)),
    ),
    tab === 'redrives'
      ? undefined
      : filterForm(filters, unhandled, (given, only) => (location.hash = at(tab, { ...given, unhandled: only }))),
    body,
  )
}

function topics({ about, topic, path }, tab) {
  if (about.topics.length < 2) return [' in ', data(topic)]
  const change = ({ target }) => (location.hash = `#${path}/${tab}${query({ topic: target.value })}`)
  const options = about.topics.map(one => h('option', { value: one, selected: one === topic }, one))
  return [' in ', h('select', { 'aria-label': 'Dead letter topic', change }, ...options)]
}

const failure = (errorClass, message) => [
  data(errorClass || '(no class)', { class: 'strong' }),
  h('div', { class: 'message' }, data(short(message))),
]

async function groups(body, { path, about, topic, filters, unhandled, leaving, at }) {
  const state = h('div', {})
  const found = h('div', {})
  fill(body, state, found)
  const asked = query({ topic, unhandled, select: select(filters) })
  const result = await search(state, { path: `${path}/groups${asked}`, leaving })
  if (result === undefined) return
  const most = Math.max(1, ...result.groups.map(group => group.count))
  const rows = result.groups.map(group => {
    const these = { ...filters, fingerprint: group.fingerprint }
    return [
      [...failure(group.class, group.sample.message), h('small', { class: 'data' }, group.fingerprint)],
      [h('b', {}, count(group.count)), meter(group, most)],
      count(group.unhandled),
      when(group.firstSeen),
      when(group.lastSeen),
      h(
        'span',
        { class: 'actions' },
        h('a', { href: at('records', { ...these, unhandled }) }, 'Records'),
        h('a', { href: at(`records/${group.sample.partition}/${group.sample.offset}`) }, 'Sample'),
        about.may.redrive && h('a', { href: at('redrive', these) }, 'Redrive'),
      ),
    ]
  })
  const headings = [
    'Failure',
    { name: 'Dead letters', align: 'right' },
    { name: 'Unhandled', align: 'right' },
    'First seen',
    'Last seen',
    'Look',
  ]
  fill(
    found,
    h('p', { class: 'remark' }, `${plural(result.total, 'dead letter')}, ${plural(result.kinds, 'kind of failure', 'kinds of failures')}`),
    result.groups.length === 0 ? nothing() : h('div', { class: 'card' }, table('Failures by fingerprint', headings, rows)),
  )
}

const meter = (group, most) =>
  h('meter', { min: 0, max: most, value: group.count, 'aria-label': `${group.count} of at most ${most}`, title: `${group.count}` })
const nothing = () => h('p', { class: 'empty' }, 'No dead letters like that.')
const select = filters => JSON.stringify(selectOf(filters)) ?? ''

async function records(body, { path, about, topic, filters, unhandled, leaving, at }) {
  const state = h('div', {})
  const rows = h('div', {})
  const more = h('p', { class: 'actions' })
  const found = []
  fill(body, state, rows, more)
  const page = async after => {
    fill(more)
    const asked = query({ topic, unhandled, select: select(filters), after })
    const onLine = line => {
      if (line.type !== 'records') return
      found.push(...line.records)
      fill(rows, h('div', { class: 'card' }, recordTable(found, at)))
    }
    const result = await search(state, { path: `${path}/records${asked}`, leaving, onLine })
    if (result === undefined) return
    if (found.length === 0) fill(rows, nothing())
    fill(
      more,
      h('span', { class: 'remark' }, `${plural(found.length, 'record')}, the oldest of each partition first`),
      result.after && h('button', { type: 'button', click: () => page(result.after) }, 'Show more'),
      about.may.redrive && found.length > 0 && h('a', { class: 'button', href: at('redrive', filters) }, 'Redrive all that match'),
    )
  }
  try {
    await page('')
  } catch (error) {
    fill(state, problem(error))
  }
}

function recordTable(found, at) {
  const rows = found.map(one => [
    when(one.died),
    h('a', { href: at(`records/${one.partition}/${one.offset}`) }, `${one.partition}:${one.offset}`),
    one.key === undefined ? h('i', {}, 'none') : data(one.key),
    failure(one.class, one.message),
    one.disposition === undefined ? '–' : data(one.disposition),
    one.handled === undefined ? badge('open', 'bad') : badge(one.handled === 'Redrive' ? 'redriven' : 'discarded', 'good'),
  ])
  return table('Dead letters', ['Died', 'Record', 'Key', 'Failure', 'Why', 'State'], rows)
}
