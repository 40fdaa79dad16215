// Copies a tree of TypeScript as JavaScript: Node would strip the types at every start, and needs 24 MiB of memory for it. Every line stays
// where it was, so that a stack trace fits the source.
//   node scripts/strip-types.ts FROM TO
import { glob, mkdir, readFile, writeFile } from 'node:fs/promises'
import { stripTypeScriptTypes } from 'node:module'
import { dirname, join } from 'node:path'

const [from, to] = process.argv.slice(2)
if (from === undefined || to === undefined) throw new Error('usage: strip-types.ts FROM TO')

/** Modules of ours in imports and URLs: './observer.ts'. */
const OWN_MODULE = /(['"])(\.{1,2}\/[^'"]*)\.ts\1/g

for await (const file of glob('**/*.ts', { cwd: from, exclude: ['**/*.test.ts'] })) {
  const script = stripTypeScriptTypes(await readFile(join(from, file), 'utf8')).replace(OWN_MODULE, '$1$2.js$1')
  const target = join(to, file.replace(/\.ts$/, '.js'))
  await mkdir(dirname(target), { recursive: true })
  await writeFile(target, script)
}
