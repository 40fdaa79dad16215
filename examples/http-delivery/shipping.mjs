// An application that Sluice calls: it needs an HTTP server and nothing else.
//   node examples/http-delivery/shipping.mjs [PORT]
import { Buffer } from 'node:buffer'
import { createServer } from 'node:http'

/** What was handled. A real service keeps the keys where it keeps its work, in the same transaction. */
const handled = new Set()

createServer((request, response) => {
  const chunks = []
  request.on('data', chunk => chunks.push(chunk))
  request.on('end', () => {
    const key = String(request.headers['idempotency-key'])
    if (!handled.has(key)) {
      console.log(`shipping ${Buffer.concat(chunks)} (delivery ${request.headers['sluice-attempt']})`)
      handled.add(key)
    }
    // 2xx: done. 429 with Retry-After, or 5xx: later. Any other 4xx: a dead letter.
    response.writeHead(204).end()
  })
}).listen(Number(process.argv[2] ?? 8090))
