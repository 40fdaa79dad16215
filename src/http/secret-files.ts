import { readdirSync, readFileSync } from 'node:fs'
import { isAbsolute, join, relative } from 'node:path'

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/
/** Ours to write: another value would change where one request ends and the next begins, or where it goes. */
const RESERVED = new Set(['host', 'content-length', 'transfer-encoding', 'connection', 'keep-alive', 'te', 'trailer', 'upgrade', 'expect'])

/** @throws Error naming the file, never what is in it. */
export function readSecretFile(root: string, file: string): string {
  const path = join(root, file)
  if (isAbsolute(file) || relative(root, path).startsWith('..'))
    throw new Error(`the contract refers to ${file}, which is not below the secrets root ${root}`)
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new Error(`cannot read the secret file ${path}: ${(error as Error).message}; is the Secret mounted, or SLUICE_SECRETS set?`, {
      cause: error,
    })
  }
}

/**
 * The keys of a mounted Secret as headers, in the order of their names.
 * @throws Error naming the key that cannot be a header, never its value.
 */
export function readSecretHeaders(root: string, folder: string): readonly (readonly [name: string, value: string])[] {
  return names(root, folder).map(name => {
    const file = `${folder}/${name}`
    if (!TOKEN.test(name) || RESERVED.has(name.toLowerCase()))
      throw new Error(`key "${name}" of Secret "${folder}" (spec.delivery.http.headersSecretRef) cannot be sent as a header: remove it`)
    const value = readSecretFile(root, file).replace(/\r?\n$/, '')
    if (!VALUE.test(value))
      throw new Error(`the value of key "${name}" of Secret "${folder}" (spec.delivery.http.headersSecretRef) is not one line of text`)
    return [name, value] as const
  })
}

/** Without what a kubelet keeps beside the keys. */
function names(root: string, folder: string): readonly string[] {
  try {
    return readdirSync(join(root, folder))
      .filter(name => !name.startsWith('..'))
      .sort()
  } catch (error) {
    throw new Error(`cannot read Secret "${folder}" below ${root}: ${(error as Error).message}; is it mounted?`, { cause: error })
  }
}
