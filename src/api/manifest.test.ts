import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { MAX_MANIFEST_CHARACTERS, readManifest, subjectOf } from './manifest.ts'

const document = (name: string) => `apiVersion: v1\nkind: Secret\nmetadata: {name: ${name}}\n`
const read = (text: string) => readManifest('f.yaml', text)
const namesOf = (text: string) => read(text).documents.map(({ name, line }) => `${name}:${line}`)

describe('manifest', () => {
  test.each([
    ['one document', document('a'), ['a:1']],
    ['several', `${document('a')}---\n${document('b')}--- # note\n${document('c')}`, ['a:1', 'b:5', 'c:9']],
    ['a byte order mark and Windows line ends', `\uFEFF${document('a').replaceAll('\n', '\r\n')}---\r\n${document('b')}`, ['a:1', 'b:5']],
    ['comments and empty documents', `# top\n---\n# nothing\n---\n${document('a')}...\n`, ['a:5']],
    ['a directive', `%YAML 1.2\n---\n${document('a')}`, ['a:3']],
    ['a document that starts on its marker', `--- {apiVersion: v1, kind: Secret, metadata: {name: a}}\n`, ['a:1']],
    ['JSON', `{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}}`, ['a:1']],
    ['a list', `apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: Secret, metadata: {name: a}}]\n`, ['a:1']],
    ['nothing at all', '', []],
  ])('should read %s', (_, text, names) => {
    expect(read(text).problems).toEqual([])
    expect(namesOf(text)).toEqual(names)
  })

  test('should not lose the good documents around a bad one', () => {
    const { documents, problems } = read(`${document('a')}---\nkind: [Secret\n---\n${document('b')}`)
    expect(documents.map(({ name }) => name)).toEqual(['a', 'b'])
    expect(problems).toEqual([expect.objectContaining({ file: 'f.yaml', message: expect.stringContaining('not YAML') })])
  })

  test('should not take a marker within a text for the end of the document', () => {
    const [found] = read(`${document('a')}data:\n  text: |\n    above\n    ---\n    below\n`).documents
    expect(found?.object.data).toEqual({ text: 'above\n---\nbelow\n' })
  })

  test('should read yes as kubectl does, and fill in the namespace', () => {
    const [found] = read(`${document('a')}spec: {suspend: yes}\n`).documents
    expect(found).toMatchObject({ namespace: 'default', object: { spec: { suspend: true } } })
  })

  test('should allow honest aliases', () => {
    const [found] = read(`${document('a')}one: &x {a: 1}\ntwo: *x\n`).documents
    expect(found?.object.two).toEqual({ a: 1 })
  })

  test('should not let a document reach the prototype of objects', () => {
    read(`${document('a')}__proto__: {polluted: true}\nconstructor: {prototype: {polluted: true}}\n`)
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  })

  test('should refuse a file above the limit without parsing it', () => {
    expect(read('a'.repeat(MAX_MANIFEST_CHARACTERS + 1)).problems).toEqual([
      { file: 'f.yaml', message: expect.stringContaining('split the file') },
    ])
  })

  test('should never quote values, which may be secrets', () => {
    const { problems } = read('apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {password: [hunter2\n')
    expect(problems).toHaveLength(1)
    expect(JSON.stringify(problems)).not.toContain('hunter2')
  })

  test('should answer for any text at all', () => {
    const noise = fc.string({
      unit: fc.constantFrom('a', ':', ' ', '\n', '-', '[', ']', '{', '}', '&', '*', '!', '"', '|', '%', '\t', '<', '#'),
      maxLength: 60,
    })
    fc.assert(
      fc.property(noise, text => {
        const { documents, problems } = read(text)
        expect(documents.length + problems.length).toBeLessThanOrEqual(text.split('\n').length)
      }),
      { numRuns: 1_000 },
    )
  })

  test('should keep a name from writing lines and colours of its own', () => {
    expect(subjectOf({ kind: 'DelayQueue', namespace: 'default', name: 'a\n\u001b[31mb\u202ec' })).toBe('DelayQueue/a??[31mb?c')
  })

  test('should cut names of novel length in messages', () => {
    expect(subjectOf({ kind: 'DelayQueue', namespace: 'shop', name: 'q'.repeat(10_000) })).toHaveLength('DelayQueue/shop/'.length + 83)
  })
})
