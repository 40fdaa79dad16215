// An application that is called and does nothing, as a process of its own.
//   node bench/load/answering.ts STATUS      prints its port; GET / answers {count, firstAtMs, lastAtMs, p50Ms, p99Ms} of how old records were when they came, and forgets
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

const STATUS = Number(process.argv[2] ?? 200)
let ages: number[] = []
let [firstAtMs, lastAtMs] = [0, 0]

const server = createServer((request, response) => {
  if (request.method === 'GET') {
    const sorted = Float64Array.from(ages).sort()
    const quantile = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
    response.end(JSON.stringify({ count: ages.length, firstAtMs, lastAtMs, p50Ms: quantile(0.5), p99Ms: quantile(0.99) }))
    ages = []
    firstAtMs = 0
    return
  }
  lastAtMs = Date.now()
  if (firstAtMs === 0) firstAtMs = lastAtMs
  ages.push(lastAtMs - Number(request.headers['sluice-origin-timestamp']))
  request.resume().on('end', () => {
    response.writeHead(STATUS).end()
  })
})
server.keepAliveTimeout = 60_000
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`)
})
process.stdin.resume().on('end', () => process.exit())
