// Who may import whom: docs/adr and the README of each room say why. Checked by `make check`.
const only = (from, allowed, comment) => ({
  name: `rooms-${from}`,
  comment,
  severity: 'error',
  from: { path: `^src/${from}/` },
  to: { path: '^src/', pathNot: `^src/(${[from, ...allowed].join('|')})(/|$)` },
})
const vendor = (name, library, rooms) => ({
  name: `vendor-${name}`,
  comment: `${library} is imported only in ${rooms}: vendor types never cross a port`,
  severity: 'error',
  from: { path: '^src/', pathNot: `^src/(${rooms})/` },
  to: { path: `node_modules/${library}` },
})

module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } } },
    only('api', [], 'api is the vocabulary: durations, sizes, globs, the envelope of a resource. It knows nobody.'),
    only('retry', [], 'applications import retry: it brings nothing of ours along'),
    only('kafka', ['api'], 'kafka knows nobody of ours but the vocabulary'),
    only('http', ['api', 'worker/caller\\.ts'], 'an adapter of a port of the worker'),
    only('observability', ['api'], 'observability knows nobody of ours but the vocabulary'),
    only(
      'operator',
      ['api', 'kafka', 'observability', 'worker/contract\\.ts'],
      'the operator is given the registry of kinds; it never imports one',
    ),
    only('worker', ['api', 'kafka', 'observability'], 'the worker is given the registry of kinds and runs anywhere'),
    only('kubernetes', ['api', 'operator', 'console/ports\\.ts', 'observability'], 'an adapter of the ports of operator and console'),
    only('standalone', ['api', 'operator', 'console/ports\\.ts', 'observability'], 'an adapter of the ports of operator and console'),
    only(
      'dead-letters',
      ['api', 'kafka', 'kinds/dead-letter-\\w+'],
      'looking at dead letters is reading Kafka: it needs no operator and no worker',
    ),
    only(
      'console',
      ['api', 'kafka', 'observability', 'dead-letters', 'kinds/dead-letter-\\w+', 'operator/(ports|connection-settings)\\.ts'],
      'the console is given resources, access and brokers; it knows no place where they live',
    ),
    only(
      'kinds',
      ['api', 'operator/(plan|kind|observed|config-value)\\.ts', 'worker/(task|contract|kind)\\.ts'],
      'a kind knows the types that operator and worker publish',
    ),
    {
      name: 'kinds-are-pure',
      severity: 'error',
      from: { path: '^src/kinds/', pathNot: '\\.test\\.ts$' },
      to: { dependencyTypes: ['core'], pathNot: '^(node:)?(crypto|buffer)$' },
    },
    {
      name: 'tests-stay-outside',
      severity: 'error',
      from: { path: '^src/', pathNot: '\\.test\\.ts$' },
      to: { path: '^(test|bench|e2e)/|\\.test\\.ts$' },
    },
    vendor('confluent', '@confluentinc', 'kafka'),
    vendor('platformatic', '@platformatic', 'kafka'),
    vendor('client-node', '@kubernetes', 'kubernetes'),
    { name: 'kafkajs-is-for-others', severity: 'error', from: { path: '^src/' }, to: { path: 'node_modules/kafkajs' } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { extensions: ['.ts', '.js', '.json'] },
  },
}
