import eslint from '@eslint/js'
import tseslint from 'typescript-eslint'

export default tseslint.config(
  { ignores: ['node_modules', 'build', 'bench/results', '.cache'] },
  eslint.configs.recommended,
  tseslint.configs.strictTypeChecked,
  tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: { parserOptions: { project: './tsconfig.json' } },
    rules: {
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      // Numbers and booleans read well in messages; objects still may not slip in.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      // Resource definitions are open records keyed by the user's words.
      '@typescript-eslint/no-dynamic-delete': 'off',
      // An unused argument named _x documents a signature.
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      'no-console': 'error',
      complexity: ['error', 15],
    },
  },
  {
    files: ['**/*.test.ts', 'test/**', 'bench/**', 'e2e/**', 'examples/**', 'scripts/**'],
    rules: {
      'no-console': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/require-await': 'off',
      complexity: 'off',
    },
  },
  {
    files: ['**/*.js', '**/*.mjs', '**/*.cjs'],
    extends: [tseslint.configs.disableTypeChecked],
    languageOptions: { globals: { process: 'readonly', console: 'readonly', module: 'writable' } },
  },
  {
    // What a browser has and Node, as this project is typed, has not.
    files: ['src/console/public/**'],
    languageOptions: {
      globals: {
        ...{ document: 'readonly', location: 'writable', window: 'readonly', sessionStorage: 'readonly', setTimeout: 'readonly' },
        ...{ fetch: 'readonly', Headers: 'readonly', FormData: 'readonly', URLSearchParams: 'readonly', TextDecoderStream: 'readonly' },
        ...{ AbortController: 'readonly', AbortSignal: 'readonly', Event: 'readonly' },
      },
    },
  },
)
