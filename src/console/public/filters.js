import { h } from './dom.js'

const FIELDS = ['fingerprint', 'class', 'key', 'header', 'value', 'from', 'to', 'offsets']

/** What the address says is to be looked at. */
export const filtersIn = search =>
  Object.fromEntries(FIELDS.map(name => [name, search.get(name) ?? '']).filter(([, value]) => value !== ''))

/** The same as selectors of a DeadLetterRedrive; undefined: everything. */
export function selectOf({ fingerprint, class: errorClass, key, header, value, from, to, offsets }) {
  const [partition, offset] = (offsets ?? '').split(':').map(Number)
  const select = {
    ...(fingerprint && { fingerprint }),
    ...(errorClass && { errorClass }),
    ...(key && { key }),
    ...(header && { header: { name: header, ...(value && { value }) } }),
    ...(from && { from: instant(from) }),
    ...(to && { to: instant(to) }),
    ...(offsets && { offsets: [{ partition, from: offset, to: offset }] }),
  }
  return Object.keys(select).length === 0 ? undefined : select
}

/** Inputs tell local time without a zone. */
const instant = text => (/Z|[+-]\d\d:\d\d$/.test(text) ? text : new Date(text).toISOString())

const NAMES = {
  fingerprint: 'fingerprint',
  class: 'class',
  key: 'key',
  header: 'header',
  value: 'with value',
  from: 'from',
  to: 'to',
  offsets: 'partition and offset',
}
/** In words, for people who are about to move something. */
export const filtersInWords = filters =>
  FIELDS.filter(name => filters[name]).map(name =>
    h('span', { class: 'chip' }, `${NAMES[name]} `, h('b', { class: 'data' }, filters[name])),
  )

const field = (name, label, value, more = {}) =>
  h('label', {}, label, h('input', { name, value: value ?? '', autocomplete: 'off', spellcheck: 'false', ...more }))

/** A form of the filters; `apply` is given what was filled in. */
export function filterForm(filters, unhandled, apply) {
  const form = h(
    'form',
    {
      class: 'filters',
      'aria-label': 'Filters',
      submit: event => {
        event.preventDefault()
        const given = new FormData(form)
        apply(Object.fromEntries(FIELDS.map(name => [name, given.get(name) ?? filters[name] ?? ''])), given.get('unhandled') !== null)
      },
    },
    field('from', 'Died from', filters.from, { type: 'datetime-local', step: '1' }),
    field('to', 'Died before', filters.to, { type: 'datetime-local', step: '1' }),
    field('class', 'Error class', filters.class),
    field('key', 'Key', filters.key),
    field('header', 'Header', filters.header, { placeholder: 'name' }),
    field('value', 'Its value', filters.value, { placeholder: 'any' }),
    field('fingerprint', 'Fingerprint', filters.fingerprint),
    h('label', { class: 'check' }, h('input', { type: 'checkbox', name: 'unhandled', checked: unhandled }), 'only unhandled'),
    h(
      'div',
      { class: 'actions' },
      h('button', { class: 'primary' }, 'Apply'),
      h('button', { type: 'button', click: () => apply({}, false) }, 'Clear'),
    ),
  )
  // On a phone they would fill the screen before anything is seen.
  const some = unhandled || FIELDS.some(name => filters[name])
  return h('details', { class: 'fold', open: some || window.matchMedia('(min-width: 44rem)').matches }, h('summary', {}, 'Filters'), form)
}
