import { expect, test } from 'vitest';

import { facade } from '../src/facade.js';
import type { NativeFarad } from '../src/native.js';
import { Page } from '../src/page.js';
import { Worker, type Surroundings } from '../src/worker.js';

type Call = [method: string, options: unknown];

/** Native code that notes what it is asked. */
function native(attach: () => Promise<void> = () => Promise.resolve()) {
  const calls: Call[] = [];
  const note =
    (method: string, answer: () => Promise<unknown> = () => Promise.resolve()) =>
    (options: unknown) => {
      calls.push([method, options]);
      return answer();
    };
  const methods: Record<string, unknown> = {
    attach: note('attach', attach),
    ready: note('ready'),
    reportFailure: note('reportFailure'),
    sync: note('sync'),
  };
  return { calls, native: methods as unknown as NativeFarad };
}

/** A page's surroundings, with a service worker in control or not. */
function surroundings(controlled: boolean, stored = new Map<string, string>()) {
  const did: string[] = [];
  const around: Surroundings = {
    navigator: {
      serviceWorker: {
        controller: controlled ? ({} as ServiceWorker) : null,
        getRegistrations: async () =>
          [
            {
              unregister: async () => {
                did.push('unregister');
                return true;
              },
            },
          ] as unknown as ServiceWorkerRegistration[],
      },
    },
    caches: {
      keys: async () => ['precache'],
      delete: async (name) => {
        did.push(`delete ${name}`);
        return true;
      },
    },
    sessionStorage: {
      getItem: (key) => stored.get(key) ?? null,
      setItem: (key, value) => void stored.set(key, value),
      removeItem: (key) => void stored.delete(key),
    },
    location: { reload: () => void did.push('reload') },
    console: { warn: () => undefined },
  };
  return { around, did, stored };
}

const settled = () => new Promise((resolve) => setTimeout(resolve));

test('a page attaches as its script loads, before the app can run on', () => {
  const { calls, native: plugin } = native();
  new Page(plugin, new Worker(surroundings(false).around));
  expect(calls).toHaveLength(1);
  const [method, options] = calls[0] ?? [];
  expect(method).toBe('attach');
  expect((options as { nonce: string }).nonce).toMatch(/^[0-9a-f]{32}$/);
});

test('ready and reportFailure speak for their own page', async () => {
  const { calls, native: plugin } = native();
  const page = new Page(plugin, new Worker(surroundings(false).around));
  const farad = facade(plugin, () => page.attachedNonce());
  await farad.ready();
  await farad.reportFailure({ message: 'no basket' });
  const nonce = await page.attachedNonce();
  expect(calls.slice(1)).toEqual([
    ['ready', { nonce }],
    ['reportFailure', { message: 'no basket', nonce }],
  ]);
});

test('a page cannot speak in the name of another', async () => {
  const { calls, native: plugin } = native();
  const page = new Page(plugin, new Worker(surroundings(false).around));
  const farad = facade(plugin, () => page.attachedNonce());
  await farad.reportFailure({ nonce: 'another' } as never);
  expect(calls[1]).toEqual(['reportFailure', { nonce: await page.attachedNonce() }]);
});

test('every page has a nonce of its own', async () => {
  const { native: plugin } = native();
  const worker = new Worker(surroundings(false).around);
  const nonces = [new Page(plugin, worker), new Page(plugin, worker)].map((p) => p.attachedNonce());
  expect(new Set(await Promise.all(nonces)).size).toBe(2);
});

test('ready fails as attaching did', async () => {
  const refused = Object.assign(new Error(), { code: 'stale-token' });
  const { native: plugin } = native(() => Promise.reject(refused));
  const page = new Page(plugin, new Worker(surroundings(false).around));
  const farad = facade(plugin, () => page.attachedNonce());
  await expect(farad.ready()).rejects.toBe(refused);
});

test('a page that came through a service worker removes it, loads anew and confirms nothing', async () => {
  const { calls, native: plugin } = native();
  const { around, did } = surroundings(true);
  new Page(plugin, new Worker(around));
  await settled();
  expect(did).toEqual(['unregister', 'delete precache', 'reload']);
  expect(calls).toEqual([]);
});

test('where the worker comes back, the page is left as it is and ready says so', async () => {
  const { calls, native: plugin } = native();
  const stored = new Map<string, string>();
  for (let tries = 1; tries <= 3; tries += 1) {
    const { around, did } = surroundings(true, stored);
    new Page(plugin, new Worker(around));
    await settled();
    expect(did).toContain('reload');
  }
  const again = surroundings(true, stored);
  const page = new Page(plugin, new Worker(again.around));
  const farad = facade(plugin, () => page.attachedNonce());
  await expect(farad.ready()).rejects.toMatchObject({ code: 'stale-token' });
  expect(again.did).toEqual([]);
  expect(calls).toEqual([]);
});

test('a page without a worker lets the next worker be removed', async () => {
  const stored = new Map([['farad.worker-removed', '3']]);
  new Page(native().native, new Worker(surroundings(false, stored).around));
  const later = surroundings(true, stored);
  new Page(native().native, new Worker(later.around));
  await settled();
  expect(later.did).toContain('reload');
});
