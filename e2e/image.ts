import { readFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { sh } from './shell.ts'

const ROOT = join(import.meta.dirname, '..')

/** What the last stage of the Dockerfile says about running, as the `config` of an image. */
function imageConfig(): string {
  const lastStage =
    readFileSync(join(ROOT, 'Dockerfile'), 'utf8')
      .split(/^FROM /m)
      .at(-1) ?? ''
  const instructions = (name: string): readonly string[] =>
    [...lastStage.matchAll(new RegExp(`^${name} (.*)$`, 'gm'))].map(([, value = '']) => value)
  return JSON.stringify({
    Env: ['PATH=/usr/local/bin:/usr/bin:/bin', ...instructions('ENV')],
    User: instructions('USER').at(-1),
    Entrypoint: JSON.parse(instructions('ENTRYPOINT').at(-1) ?? 'null') as unknown,
  })
}

/** Packs the image without Docker: the files that the Dockerfile ships, on a base made of this machine. Answers the archive. */
export async function packImage(folder: string, name: string): Promise<string> {
  const root = join(folder, 'image')
  await mkdir(root, { recursive: true })
  await sh(join(ROOT, 'scripts/image-root'), [root])
  await sh(join(import.meta.dirname, 'base-root.sh'), [root])
  const archive = join(folder, 'image.tar')
  await sh(join(import.meta.dirname, 'pack-image.sh'), [root, name, imageConfig(), archive])
  return archive
}
