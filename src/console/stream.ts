import type { ServerResponse } from 'node:http'

/** A line of an answer that is told as it is found: one JSON document a line. */
export type StreamLine = { readonly type: 'waiting' | 'progress' | 'records' | 'result' | 'error' } & Readonly<Record<string, unknown>>

/** Writes lines. Nothing is sent before the first one: until then the answer can still be a refusal. */
export class LineStream {
  readonly #response: ServerResponse

  constructor(response: ServerResponse) {
    this.#response = response
  }

  write(line: StreamLine): void {
    if (this.#response.destroyed) return
    if (!this.#response.headersSent) this.#response.writeHead(200, { 'content-type': 'application/x-ndjson', 'x-accel-buffering': 'no' })
    this.#response.write(`${JSON.stringify(line)}\n`)
  }

  end(): void {
    this.#response.end()
  }
}
