import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A certificate with its private key (PKCS#8), both PEM. */
export interface KeyPair {
  readonly certificate: string
  readonly key: string
}

/** A certificate authority of its own, living in `folder`. Node has no API that issues certificates, so openssl does. */
export class CertificateAuthority {
  readonly ca: string
  readonly #folder: string

  private constructor(folder: string, ca: string) {
    this.#folder = folder
    this.ca = ca
  }

  static async create(folder: string): Promise<CertificateAuthority> {
    await run('openssl', [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=Sluice test CA'],
      ...['-keyout', join(folder, 'ca.key'), '-out', join(folder, 'ca.pem')],
    ])
    return new CertificateAuthority(folder, await readFile(join(folder, 'ca.pem'), 'utf8'))
  }

  /** Issues a certificate for `commonName`; `names` are subject alternative names such as `DNS:localhost`. Serves as server and client. */
  async issue(commonName: string, names: readonly string[] = []): Promise<KeyPair> {
    const file = (suffix: string): string => join(this.#folder, `${commonName}.${suffix}`)
    const extensions = ['extendedKeyUsage=serverAuth,clientAuth', ...(names.length > 0 ? [`subjectAltName=${names.join(',')}`] : [])]
    await writeFile(file('ext'), extensions.join('\n'))
    await run('openssl', [
      ...['req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', `/CN=${commonName}`],
      ...['-keyout', file('key'), '-out', file('csr')],
    ])
    await run('openssl', [
      ...['x509', '-req', '-in', file('csr'), '-days', '2', '-CA', join(this.#folder, 'ca.pem'), '-CAkey', join(this.#folder, 'ca.key')],
      ...['-CAcreateserial', '-extfile', file('ext'), '-out', file('pem')],
    ])
    return { certificate: await readFile(file('pem'), 'utf8'), key: await readFile(file('key'), 'utf8') }
  }
}
