const TOKEN = 'sluice-token'

/** Kept for this tab only, and sent by us alone: a browser adds no cookie that another page could use. */
export const token = {
  get: () => sessionStorage.getItem(TOKEN),
  set: value => sessionStorage.setItem(TOKEN, value),
  remove: () => sessionStorage.removeItem(TOKEN),
}

export class ApiError extends Error {
  constructor(status, message) {
    super(message)
    this.status = status
  }
}

async function request(path, { method = 'GET', body, signal } = {}) {
  const headers = new Headers({ 'x-sluice-console': '1' })
  if (token.get() !== null) headers.set('authorization', `Bearer ${token.get()}`)
  if (body !== undefined) headers.set('content-type', 'application/json')
  const response = await fetch(`/api${path}`, { method, headers, signal, ...(body !== undefined && { body: JSON.stringify(body) }) })
  if (response.ok) return response
  const told = await response.json().catch(() => ({}))
  throw new ApiError(response.status, told.message ?? `the console answered ${response.status}`)
}

export const call = async (path, options) => (await request(path, options)).json()

/** Reads an answer that is told as it is found, line by line; answers the last one. @param {(line: any) => void} onLine */
export async function listen(path, options, onLine) {
  const { body } = await request(path, options)
  let rest = ''
  let result
  const take = line => {
    if (line.type === 'error') throw new ApiError(503, line.message)
    if (line.type === 'result') result = line
    else onLine(line)
  }
  for await (const text of body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split('\n')
    rest = lines.pop()
    for (const line of lines) if (line !== '') take(JSON.parse(line))
  }
  if (rest !== '') take(JSON.parse(rest))
  if (result === undefined) throw new ApiError(503, 'the answer ended before it was complete: try again')
  return result
}

export const pipelinePath = ({ namespace, name }) => `/pipelines/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`

/** A query of what is given. */
export function query(values) {
  const given = Object.entries(values).filter(([, value]) => value !== undefined && value !== null && value !== '' && value !== false)
  return given.length === 0 ? '' : `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`
}
