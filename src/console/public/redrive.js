import { call, pipelinePath } from './api.js'
import { count, crumbs, data, fill, h, plural, problem, say, table } from './dom.js'
import { filtersIn, filtersInWords, selectOf } from './filters.js'
import { search as searchWith } from './search.js'

/** Deliver again: first tell what would be moved, then ask, then do it. */
export async function redrive({ namespace, name, search, leaving }) {
  const path = pipelinePath({ namespace, name })
  const about = await call(path, { signal: leaving })
  const topic = search.get('topic') ?? about.topics[0]
  const filters = filtersIn(search)
  const words = filtersInWords(filters)
  const outcome = h('div', {})
  const form = h(
    'form',
    {
      class: 'card redrive',
      submit: event => {
        event.preventDefault()
        void rehearse(specOf(new FormData(form), filters, search.get('topic')))
      },
      // What was told is about what was filled in then.
      input: () => fill(outcome),
    },
    h('h2', {}, 'What'),
    h('p', {}, words.length === 0 ? h('span', { class: 'chip' }, h('b', {}, 'all dead letters')) : words, ' in ', data(topic)),
    h('h2', {}, 'Where to'),
    h(
      'fieldset',
      {},
      h('legend', { class: 'sr' }, 'Where to'),
      h(
        'label',
        { class: 'check' },
        h('input', { type: 'radio', name: 'to', value: 'Application', checked: true }),
        'the application, and nobody else',
      ),
      h('label', { class: 'check' }, h('input', { type: 'radio', name: 'to', value: 'Topic' }), 'another topic:'),
      h('input', { name: 'topic', 'aria-label': 'Topic', autocomplete: 'off' }),
    ),
    h('h2', {}, 'How'),
    h(
      'div',
      { class: 'filters' },
      h('label', {}, 'Records a second', h('input', { name: 'ratePerSecond', type: 'number', min: 1, placeholder: 'as fast as possible' })),
      h('label', {}, 'At most', h('input', { name: 'maxMessages', type: 'number', min: 1, placeholder: 'all' })),
    ),
    h('p', { class: 'actions' }, h('button', { class: 'primary' }, 'Dry run'), h('span', { class: 'remark' }, 'writes nothing')),
  )

  async function rehearse(spec) {
    const state = h('div', {})
    const found = h('div', {})
    fill(outcome, state, found)
    const told = await searchWith(state, { path: `${path}/rehearsals`, options: { method: 'POST', body: spec }, leaving })
    if (told !== undefined) fill(found, dryRun(told, spec))
  }

  function dryRun(told, spec) {
    const most = Math.max(1, ...told.histogram.map(one => one.count))
    const rows = told.histogram.map(one => [
      data(one.fingerprint),
      data(one.target),
      [h('b', {}, count(one.count)), h('meter', { min: 0, max: most, value: one.count, 'aria-label': `${one.count}` })],
    ])
    const left = [
      told.handled > 0 && `${count(told.handled)} were handled before`,
      told.parked > 0 && `${count(told.parked)} were redriven too often`,
    ].filter(Boolean)
    return h(
      'section',
      { class: 'card' },
      h('h2', {}, `Dry run: ${plural(told.moved, 'record')} would be moved`),
      h(
        'p',
        { class: 'remark' },
        `${plural(told.matched, 'record')} matched${left.length > 0 ? `; left where they are: ${left.join(', ')}` : ''}.`,
      ),
      told.moved > 0 && table('By failure', ['Fingerprint', 'Target', { name: 'Records', align: 'right' }], rows),
      told.moved > 0 && confirm(told, spec),
    )
  }

  function confirm(told, spec) {
    const button = h(
      'button',
      { type: 'button', class: 'danger', click: () => create(button, spec) },
      `Redrive ${plural(told.moved, 'record')}`,
    )
    return h(
      'p',
      { class: 'actions' },
      button,
      h('span', { class: 'remark' }, 'Each is moved once. What dies meanwhile is left for another redrive.'),
    )
  }

  async function create(button, spec) {
    button.disabled = true
    try {
      const made = await call(`${path}/redrives`, { method: 'POST', body: spec })
      say(`Redrive ${made.name} was made`)
      location.hash = `#${path}/redrives?made=${made.name}`
    } catch (error) {
      button.disabled = false
      button.after(problem(error))
    }
  }

  return h(
    'div',
    {},
    crumbs(h('a', { href: `#${path}` }, data(`${namespace}/${name}`))),
    h('h1', {}, 'Redrive'),
    about.may.redrive ? form : problem(new Error(`You may not create deadletterredrives in namespace ${namespace}.`)),
    outcome,
  )
}

function specOf(given, filters, topic) {
  const number = name => (given.get(name) ? { [name]: Number(given.get(name)) } : {})
  return {
    ...(topic && { deadLetterTopic: topic }),
    select: selectOf(filters) ?? { all: true },
    ...(given.get('to') === 'Topic' && { to: 'Topic', topic: given.get('topic') }),
    ...number('ratePerSecond'),
    ...number('maxMessages'),
  }
}
