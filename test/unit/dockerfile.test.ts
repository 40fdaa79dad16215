import { describe, expect, test } from '@jest/globals'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '../..')
const text = (file: string): string => readFileSync(join(ROOT, file), 'utf8')
const dockerfile = text('Dockerfile').replaceAll(/\\\n/g, ' ')
const instructions = (name: string): readonly string[] =>
  [...dockerfile.matchAll(new RegExp(`^${name} (.*)$`, 'gm'))].map(([, rest = '']) => rest)

// A build needs the Docker engine, which is not everywhere; what can drift unseen is checked here, what is shipped is run by `make e2e`.
describe('the Dockerfile', () => {
  const copied = instructions('COPY')
    .filter(copy => !copy.startsWith('--from'))
    .flatMap(copy => copy.split(' ').slice(0, -1))

  test('should copy what is there and what .dockerignore lets through', () => {
    const allowed = text('.dockerignore')
      .split('\n')
      .flatMap(line => (line.startsWith('!') ? [line.slice(1)] : []))
    expect(copied.length).toBeGreaterThan(5)
    for (const path of copied) {
      expect([path, existsSync(join(ROOT, path))]).toEqual([path, true])
      expect(allowed).toContain(path.split('/')[0])
    }
  })

  test('should build and run on the Node of this checkout', () => {
    const [, version] = /^NODE_VERSION=(.*)$/m.exec(text('scripts/lib.sh')) ?? []
    expect(instructions('FROM').map(from => /^node:([\d.]+)-/.exec(from)?.[1])).toEqual([version, version])
  })

  test('should install what the native client is built from, or setup would ask for it', () => {
    const [, packages = ''] = /need_debs (g\+\+ .*)$/m.exec(text('scripts/setup')) ?? []
    const [installs = ''] = instructions('RUN')
    expect(packages.split(' ').filter(name => !installs.split(' ').includes(name))).toEqual([])
  })

  test('should run the program as the numeric user that the chart asks for', () => {
    expect(instructions('USER')).toEqual(['65532:65532'])
    expect(text('charts/sluice/templates/deployment.yaml')).toContain('runAsUser: 65532')
    const [program] = JSON.parse(instructions('ENTRYPOINT')[0] ?? '[]') as string[]
    expect(existsSync(join(ROOT, program?.replace(/^\/app\//, '') ?? 'absent'))).toBe(true)
  })
})
