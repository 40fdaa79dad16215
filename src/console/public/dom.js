/**
 * Elements without markup: every text, whoever wrote it, stays a text.
 * @param {string} tag @param {Record<string, unknown>} [properties] attributes; functions become listeners, false and undefined are left out
 * @param {...unknown} children nodes and texts; undefined and false are left out
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === false || value === null) continue
    if (typeof value === 'function') element.addEventListener(name, value)
    else element.setAttribute(name, value === true ? '' : String(value))
  }
  append(element, children)
  return element
}

function append(element, children) {
  for (const child of children.flat()) if (child !== undefined && child !== null && child !== false) element.append(child)
}

export function fill(element, ...children) {
  element.replaceChildren()
  append(element, children)
  return element
}

/** Told to screen readers. */
export const say = text => (document.getElementById('said').textContent = text)

const numbers = new Intl.NumberFormat('en')
export const count = number => (number === undefined ? '–' : numbers.format(number))
export const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`

const AGES = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
  [1_000, 's'],
]
export function age(instant) {
  const ms = Date.now() - Date.parse(instant)
  const [unit, name] = AGES.find(([size]) => Math.abs(ms) >= size) ?? [1_000, 's']
  const many = Math.round(Math.abs(ms) / unit)
  return ms >= 0 ? `${many} ${name} ago` : `in ${many} ${name}`
}

/** An instant as people read it, the exact one on demand. */
export const when = instant =>
  instant === undefined
    ? '–'
    : h('time', { datetime: instant, title: instant }, instant.slice(0, 19).replace('T', ' '), h('small', {}, age(instant)))

/** Text of a record: whatever it holds, it keeps to its place. */
export const data = (text, properties = {}) => h('bdi', { ...properties, class: `data ${properties.class ?? ''}` }, text)

export const badge = (text, kind) => h('span', { class: `badge ${kind}` }, text)

export const problem = error => h('p', { class: 'problem', role: 'alert' }, error.message ?? String(error))

/** Where a page stands below the list of pipelines. */
export const crumbs = (...links) =>
  h('p', { class: 'crumbs' }, ...[h('a', { href: '#/' }, 'Dead letters'), ...links].flatMap(link => [link, ' / ']))

/** Headings, and rows of cells; on a phone each cell carries its heading. */
export function table(caption, headings, rows) {
  const names = headings.map(heading => (typeof heading === 'string' ? { name: heading } : heading))
  const cell = (content, i) => h('td', { 'data-heading': names[i].name, class: names[i].align }, ...[content].flat())
  return h(
    'table',
    {},
    h('caption', { class: 'sr' }, caption),
    h('thead', {}, h('tr', {}, ...names.map(({ name, align }) => h('th', { scope: 'col', class: align }, name)))),
    h('tbody', {}, ...rows.map(cells => h('tr', {}, ...cells.map(cell)))),
  )
}
