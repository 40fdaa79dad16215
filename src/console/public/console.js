import { ApiError, call, token } from './api.js'
import { fill, h, problem } from './dom.js'
import { pipelines } from './pipelines.js'
import { pipeline } from './pipeline.js'
import { record } from './record.js'
import { redrive } from './redrive.js'
import { signIn } from './sign-in.js'

const main = document.getElementById('main')
const who = document.getElementById('who')

/** Addresses of the pages, below `#`. Each gets its parameters, what is asked, and a signal that aborts when the user goes elsewhere. */
const PAGES = [
  [/^\/$/, () => pipelines],
  [
    /^\/pipelines\/([^/]+)\/([^/]+)(?:\/(groups|records|redrives))?$/,
    ([namespace, name, tab = 'groups']) =>
      go =>
        pipeline({ ...go, namespace, name, tab }),
  ],
  [
    /^\/pipelines\/([^/]+)\/([^/]+)\/records\/(\d+)\/(\d+)$/,
    ([namespace, name, partition, offset]) =>
      go =>
        record({ ...go, namespace, name, partition, offset }),
  ],
  [
    /^\/pipelines\/([^/]+)\/([^/]+)\/redrive$/,
    ([namespace, name]) =>
      go =>
        redrive({ ...go, namespace, name }),
  ],
]

let leave = new AbortController()

async function show() {
  leave.abort()
  leave = new AbortController()
  const leaving = leave.signal
  const [path, search = ''] = (location.hash.slice(1) || '/').split('?', 2)
  const page = pageAt(path)
  try {
    if (page === undefined) throw new ApiError(404, 'There is no such page.')
    const session = await call('/session', { signal: leaving })
    greet(session)
    const content = await page({ search: new URLSearchParams(search), leaving })
    if (!leaving.aborted) fill(main, content)
  } catch (error) {
    if (leaving.aborted) return
    if (error.status === 401) fill(main, signIn(error, show))
    else fill(main, h('h1', {}, 'That did not work'), problem(error))
  }
  document.title = `${main.querySelector('h1')?.textContent ?? 'Console'} · Sluice`
  main.focus({ preventScroll: true })
}

function pageAt(path) {
  for (const [pattern, make] of PAGES) {
    const found = pattern.exec(path)
    if (found === null) continue
    try {
      return make(found.slice(1).map(part => part && decodeURIComponent(part)))
    } catch {
      return undefined
    }
  }
  return undefined
}

function greet({ user, mode }) {
  if (mode === 'None') fill(who, 'on this machine')
  else {
    const out = () => {
      token.remove()
      fill(who)
      void show()
    }
    fill(who, user, ' ', h('button', { type: 'button', class: 'quiet', click: out }, 'Sign out'))
  }
}

window.addEventListener('hashchange', show)
void show()
