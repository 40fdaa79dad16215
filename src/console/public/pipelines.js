import { call, pipelinePath } from './api.js'
import { badge, count, data, h, table, when } from './dom.js'

export const readiness = ({ ready, reason, message }) =>
  h('span', { title: message }, badge(ready === 'True' ? 'Ready' : reason || 'Unknown', ready === 'True' ? 'good' : 'bad'))

/** All pipelines that the user may see. */
export async function pipelines({ leaving }) {
  const { pipelines: all } = await call('/pipelines', { signal: leaving })
  const rows = all.map(one => [
    h('a', { href: `#${pipelinePath(one)}` }, data(`${one.namespace}/${one.name}`)),
    data(one.source),
    data(one.group),
    count(one.deadLetters?.count),
    when(one.deadLetters?.oldest),
    readiness(one),
  ])
  const headings = ['Pipeline', 'Source', 'Group', { name: 'Unhandled', align: 'right' }, 'Oldest', 'State']
  return h(
    'div',
    {},
    h('h1', {}, 'Dead letters'),
    all.length === 0
      ? h('p', { class: 'empty' }, 'There is no DeadLetterPipeline here, or none that you may list.')
      : h('div', { class: 'card' }, table('Pipelines', headings, rows)),
  )
}
