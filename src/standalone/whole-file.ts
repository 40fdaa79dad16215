import { rename, writeFile } from 'node:fs/promises'

/** Readers see the old text or the new one, never half of it. */
export async function writeWhole(file: string, text: string, mode = 0o644): Promise<void> {
  const part = `${file}.${process.pid}.part`
  await writeFile(part, text, { mode })
  await rename(part, file)
}
