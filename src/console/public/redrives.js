import { call } from './api.js'
import { badge, count, data, fill, h, problem, table, when } from './dom.js'

const LOOK_AGAIN_MS = 1_500
const KINDS = { Completed: 'good', Failed: 'bad', Running: 'busy' }

/** What was asked for and how far it is; looked at again as long as something moves. */
export async function redrives(body, { path, about, made, leaving, at }) {
  for (;;) {
    let moving
    try {
      const { redrives: all } = await call(`${path}/redrives`, { signal: leaving })
      // What was just made may not have been seen yet.
      const unseen = made !== null && !all.some(({ name }) => name === made)
      moving = unseen || all.some(({ phase, suspended }) => !suspended && phase !== 'Completed' && phase !== 'Failed')
      fill(body, all.length === 0 ? none(about, at) : h('div', { class: 'card' }, listed(all, about, path, body)))
    } catch (error) {
      if (leaving.aborted) return
      fill(body, problem(error))
      moving = error.status === undefined || error.status === 503
    }
    if (!moving || leaving.aborted) return
    await new Promise(resolve => setTimeout(resolve, LOOK_AGAIN_MS))
    if (leaving.aborted) return
  }
}

const none = (about, at) =>
  h(
    'p',
    { class: 'empty' },
    'Nothing was redriven yet. ',
    about.may.redrive && h('a', { href: at('redrive', {}) }, 'Redrive all dead letters'),
  )

function listed(all, about, path, body) {
  const rows = all.map(one => [
    [data(one.name, { class: 'strong' }), h('small', {}, one.by ?? '')],
    h('span', { title: one.message }, badge(one.suspended ? 'Suspended' : (one.phase ?? 'Pending'), KINDS[one.phase] ?? '')),
    [count(one.sent), one.asked.dryRun && h('small', {}, 'dry run')],
    count(one.skipped),
    count(one.failed),
    one.phase === 'Running' && one.eta !== undefined ? ['done ', when(one.eta)] : when(one.completedAt ?? one.startedAt ?? one.createdAt),
    pause(one, path, body),
  ])
  const right = name => ({ name, align: 'right' })
  return table('Redrives', ['Redrive', 'State', right('Moved'), right('Skipped'), right('Failed'), 'When', 'Do'], rows)
}

function pause({ name, phase, suspended }, path, body) {
  if (phase === 'Completed' || phase === 'Failed') return ''
  const click = async () => {
    try {
      await call(`${path}/redrives/${encodeURIComponent(name)}/suspended`, { method: 'POST', body: { suspended: !suspended } })
      window.dispatchEvent(new Event('hashchange'))
    } catch (error) {
      body.prepend(problem(error))
    }
  }
  return h('button', { type: 'button', click }, suspended ? 'Resume' : 'Suspend')
}
