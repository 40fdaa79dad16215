import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crdFileName, crdYaml } from '../src/api/crd.ts'
import { definitions } from '../src/kinds/definitions.ts'

/** Writes crds/*.yaml from the schemas of the kinds: `node scripts/generate-crds.ts`. A unit test compares the two. */
for (const definition of definitions) {
  const path = join(import.meta.dirname, '../crds', crdFileName(definition))
  writeFileSync(path, crdYaml(definition))
  console.log(path)
}
