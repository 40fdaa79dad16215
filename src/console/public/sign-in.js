import { token } from './api.js'
import { h, problem } from './dom.js'

/** Asks for a token; with a proxy in front that adds one, nobody gets here. */
export function signIn(error, signedIn) {
  const had = token.get() !== null
  token.remove()
  const input = h('textarea', {
    name: 'token',
    rows: 4,
    required: true,
    autocomplete: 'off',
    spellcheck: 'false',
    'aria-describedby': 'token-help',
  })
  return h(
    'form',
    {
      class: 'sign-in',
      submit: event => {
        event.preventDefault()
        token.set(input.value.trim())
        void signedIn()
      },
    },
    h('h1', {}, 'Sign in'),
    had ? problem(new Error('The token is not valid, or no longer.')) : undefined,
    h('label', {}, 'Kubernetes bearer token', input),
    h(
      'p',
      { id: 'token-help', class: 'remark' },
      'For example from ',
      h('code', {}, 'kubectl create token SERVICEACCOUNT'),
      '. It stays in this tab and is forgotten when the tab is closed. What you may see and do is what the cluster allows you.',
    ),
    h('button', { class: 'primary' }, 'Sign in'),
  )
}
