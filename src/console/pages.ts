import { readFile, readdir } from 'node:fs/promises'
import { extname, join } from 'node:path'

export interface Page {
  readonly type: string
  readonly body: Buffer
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** What the browser loads, by path. Read once: what is not in the folder at the start is never served, whatever a path says. */
export async function readPages(): Promise<ReadonlyMap<string, Page>> {
  const folder = join(import.meta.dirname, 'public')
  const pages = new Map<string, Page>()
  for (const name of await readdir(folder)) {
    const type = TYPES[extname(name)]
    if (type === undefined) continue
    pages.set(name === 'index.html' ? '/' : `/${name}`, { type, body: await readFile(join(folder, name)) })
  }
  return pages
}

/** Records hold whatever strangers wrote: a page may run and load only what is ours, and turn no text into markup. */
export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; " +
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  'cache-control': 'no-store',
}
