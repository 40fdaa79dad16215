import { count, fill, h, problem, say } from './dom.js'
import { listen } from './api.js'

/**
 * Runs a search with its progress shown in `place`; the user can stop it, and leaving the page does.
 * @returns {Promise<any>} the result; undefined when it was stopped or failed, which is shown
 */
export async function search(place, { path, options = {}, leaving, onLine = () => undefined }) {
  const stop = new AbortController()
  const bar = h('progress', { 'aria-label': 'Searched so far' })
  const words = h('span', {}, 'Waits for its turn …')
  const button = h('button', { type: 'button', click: () => stop.abort() }, 'Stop')
  fill(place, h('div', { class: 'search' }, bar, words, button))
  try {
    const result = await listen(path, { ...options, signal: AbortSignal.any([stop.signal, leaving]) }, line => {
      if (line.type === 'progress') {
        bar.max = Math.max(1, line.total)
        bar.value = Math.min(line.passed, line.total)
        words.textContent = `${count(line.passed)} of ${count(line.total)} dead letters`
      }
      onLine(line)
    })
    fill(place, ...(result.remarks ?? []).map(remark => h('p', { class: 'remark' }, remark)))
    say('Done')
    return result
  } catch (error) {
    if (leaving.aborted) return undefined
    fill(place, stop.signal.aborted ? h('p', { class: 'remark' }, 'Stopped.') : problem(error))
    return undefined
  }
}
