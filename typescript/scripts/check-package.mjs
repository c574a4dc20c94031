// What `npm pack` would publish, and whether it can be imported: values and types, without the network.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const folder = mkdtempSync(join(tmpdir(), 'sockety-package-'));
try {
  const packed = execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], { cwd: root });
  const report = JSON.parse(packed);
  const [{ filename, files }] = Array.isArray(report) ? report : Object.values(report);
  const names = files.map(({ path }) => path);
  const allowed = /^(package\.json|README\.md|LICENSE-(MIT|APACHE)|dist\/.+\.(js|d\.ts))$/;
  for (const name of names) assert.match(name, allowed, `${name} is no part of the package`);
  for (const name of ['README.md', 'LICENSE-MIT', 'LICENSE-APACHE', 'dist/index.js', 'dist/index.d.ts']) {
    assert.ok(names.includes(name), `${name} is missing`);
  }
  // An application that has it, with the dependencies of this folder.
  const modules = join(folder, 'node_modules');
  mkdirSync(join(modules, 'sockety-runtime'), { recursive: true });
  execFileSync('tar', ['-xzf', join(folder, filename), '--strip-components=1', '-C', join(modules, 'sockety-runtime')]);
  for (const name of ['msgpackr', '@types', 'undici-types']) {
    const target = join(root, 'node_modules', name);
    if (existsSync(target)) symlinkSync(target, join(modules, name));
  }
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  const program = `import { Code, Msgpack, type Handlers, connect, listen } from 'sockety-runtime';
const handlers: Handlers = { double: (message) => 2 * message.data<number>() };
const server = await listen({ port: 0 }, { handlers });
const connection = await connect({ host: '127.0.0.1', port: server.port });
const doubled: number = await connection.call<number>('double', 21);
if (doubled !== 42 || Code.Accept !== 0 || new Msgpack().encode(1).length !== 1) throw new Error('wrong');
await connection.close();
await server.close();
`;
  // And the programs of the README, with what they say that they print.
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  const programs = [program, ...[...readme.matchAll(/```ts\n(.*?)```/gs)].map(([, code]) => code)];
  assert.equal(programs.length, 3);
  programs.forEach((code, place) => writeFileSync(join(folder, `app${place}.ts`), code));
  const tsc = join(root, 'node_modules', '.bin', 'tsc');
  const options = ['--strict', '--target', 'es2022', '--module', 'nodenext', '--types', 'node'];
  execFileSync(tsc, [...options, ...programs.map((_, place) => `app${place}.ts`)], { cwd: folder, stdio: 'inherit' });
  programs.forEach((code, place) => {
    const output = execFileSync(process.execPath, [`app${place}.js`], { cwd: folder, encoding: 'utf8' });
    const expected = [...code.matchAll(/^console\.log\(.*; \/\/ (.*)$/gm)].map(([, line]) => `${line}\n`);
    if (expected.length > 0) assert.equal(output, expected.join(''));
  });
  console.log(`${names.length} files in the package; its values and types can be imported, and its README runs`);
} finally {
  rmSync(folder, { recursive: true });
}
