import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { loadAll } from 'js-yaml'
import { validateResource } from '../../../src/api/validation.ts'
import { definitions } from '../../../src/kinds/definitions.ts'

const ROOT = join(import.meta.dirname, '../../..')

const markdownBelow = (folder: string): readonly string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.md'))
    .map(name => join(folder, name))
const documents = [
  ...readdirSync(ROOT)
    .filter(name => name.endsWith('.md'))
    .map(name => join(ROOT, name)),
  ...['docs', 'manifests', 'src'].flatMap(folder => markdownBelow(join(ROOT, folder))),
]

const examples = documents.flatMap(file =>
  [...readFileSync(file, 'utf8').matchAll(/^```yaml\n([^]*?)^```$/gm)]
    .flatMap(([, text = '']) => loadAll(text) as { kind: string; metadata: { name: string } }[])
    .map(resource => ({ where: `${relative(ROOT, file)}: ${resource.kind}/${resource.metadata.name}`, resource })),
)

const links = documents.flatMap(file =>
  [...readFileSync(file, 'utf8').matchAll(/\]\(([^)#:]+)(#[^)]*)?\)/g)].map(([, target = '']) => ({
    link: `${relative(ROOT, file)} -> ${target}`,
    path: join(dirname(file), target),
  })),
)

describe('the documentation', () => {
  test.each(examples)('should show only valid resources: $where', ({ resource }) => {
    const definition = definitions.find(({ kind }) => kind === resource.kind)
    expect(definition?.kind).toBe(resource.kind)
    expect(validateResource(definition!, resource)).toEqual([])
  })

  test.each(links)('should link to what is there: $link', ({ path }) => {
    expect(existsSync(path)).toBe(true)
  })
})
