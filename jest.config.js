// Native ESM: client-node and typebox ship nothing else. Types are checked by tsc, swc only strips them.
const transform = { '^.+\\.ts$': ['@swc/jest', { jsc: { target: 'es2024', parser: { syntax: 'typescript' } }, module: { type: 'es6' } }] }
const project = (displayName, testMatch, extra = {}) => ({
  displayName,
  testMatch,
  transform,
  extensionsToTreatAsEsm: ['.ts'],
  testEnvironment: 'node',
  modulePathIgnorePatterns: ['<rootDir>/.cache', '<rootDir>/build'],
  ...extra,
})

export default {
  projects: [
    project('unit', ['<rootDir>/src/**/*.test.ts', '<rootDir>/test/unit/**/*.test.ts']),
    project('integration', ['<rootDir>/test/integration/**/*.test.ts']),
  ],
}
