import { expect, test } from 'vitest';

import { Farad } from '../src/index.js';
import { FaradWeb } from '../src/web.js';
import { facade } from '../src/facade.js';
import type { NativeFarad } from '../src/native.js';

test('in a browser an app starts, asks and is told that there is nothing', async () => {
  await expect(Farad.ready()).resolves.toMatchObject({ current: { id: 'builtin' }, reason: null });
  await expect(Farad.sync({ apply: 'now' })).resolves.toMatchObject({ status: 'unavailable' });
  await expect(Farad.check()).resolves.toMatchObject({ status: 'unavailable', bytes: 0 });
  await expect(Farad.apply()).resolves.toEqual({ applying: false });
  await expect(Farad.getState()).resolves.toMatchObject({ syncing: false, blocked: [] });
  await expect(Farad.getChannel()).resolves.toEqual({ channel: null });
  await expect(Farad.getDeviceInfo()).resolves.toMatchObject({ platform: 'web' });
});

test('in a browser listeners can be added and removed', async () => {
  const handle = await Farad.addListener('downloadProgress', () => undefined);
  await handle.remove();
  await Farad.removeAllListeners();
});

test('no call is missing in a browser', async () => {
  const web = new FaradWeb() as unknown as NativeFarad;
  const api = facade(web, async () => '') as unknown as Record<string, (o?: unknown) => unknown>;
  const methods = Object.keys(api).filter((name) => name !== 'addListener');
  expect(methods.length).toBeGreaterThan(12);
  for (const method of methods) {
    await expect(api[method]({ channel: null, until: null }), method).resolves.not.toThrow();
  }
});
