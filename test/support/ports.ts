import { createServer } from 'node:net'

// Below Linux's ephemeral range (32768 and up): an outgoing connection cannot take the port between our check and the server's bind.
const LOWEST = 15_000
const HIGHEST = 32_000

const isFree = (port: number): Promise<boolean> =>
  new Promise(resolve => {
    const server = createServer()
    server.once('error', () => {
      resolve(false)
    })
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () =>
      server.close(() => {
        resolve(true)
      }),
    )
  })

/** `count` different loopback ports that nobody listens on, drawn at random so that parallel runs do not meet. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const found = new Set<number>()
  while (found.size < count) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST))
    if (!found.has(port) && (await isFree(port))) found.add(port)
  }
  return [...found]
}
