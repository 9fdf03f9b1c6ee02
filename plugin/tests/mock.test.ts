import { expect, test, vi } from 'vitest';

import type { RolledBackEvent } from '../src/definitions.js';
import { FaradMock } from '../src/testing/index.js';

test('an update runs from the next start on, and stays once it is ready', async () => {
  const farad = new FaradMock();
  farad.offer({ version: '1.1.0' });
  await expect(farad.sync()).resolves.toMatchObject({
    status: 'staged',
    via: 'pack',
    release: { version: '1.1.0', sequence: 2 },
  });
  expect((await farad.getState()).current.version).toBe('1.0.0');
  farad.restart();
  await expect(farad.ready()).resolves.toMatchObject({ current: { version: '1.1.0' } });
  farad.restart();
  farad.restart();
  farad.restart();
  expect((await farad.getState()).current.version).toBe('1.1.0');
  await expect(farad.sync()).resolves.toMatchObject({ status: 'up-to-date', via: null });
});

test('progress comes in as many steps as the test says', async () => {
  const farad = new FaradMock();
  const ratios: number[] = [];
  await farad.addListener('downloadProgress', ({ ratio, total }) => {
    ratios.push(ratio);
    expect(total).toBe(500);
  });
  farad.offer({ version: '1.1.0', bytes: 500, steps: 2 });
  await farad.sync();
  expect(ratios).toEqual([0.5, 1]);
});

test('two silent launches, and the bundle is given up; the page learns why', async () => {
  const farad = new FaradMock();
  farad.offer({ version: '1.1.0' });
  await farad.sync();
  farad.restart();
  farad.restart();
  expect((await farad.getState()).current.version).toBe('1.1.0');
  farad.restart();
  const told: RolledBackEvent[] = [];
  await farad.addListener('rolledBack', (event) => told.push(event));
  expect(told).toMatchObject([
    { from: { version: '1.1.0' }, to: { version: '1.0.0' }, reason: 'not-ready' },
  ]);
  await expect(farad.ready()).resolves.toMatchObject({
    current: { version: '1.0.0' },
    rolledBack: { version: '1.1.0' },
    reason: 'not-ready',
  });
  await expect(farad.ready()).resolves.toMatchObject({ rolledBack: null, reason: null });
  await expect(farad.sync()).resolves.toMatchObject({ status: 'blocked' });
  expect((await farad.getState()).blocked).toMatchObject([{ version: '1.1.0' }]);
});

test.each([
  ['not-ready', async (farad: FaradMock) => farad.letReadyTimePass()],
  ['renderer-gone', async (farad: FaradMock) => farad.crashRenderer()],
  ['reported', (farad: FaradMock) => farad.reportFailure()],
])('a bundle that fails twice is given up as %s', async (reason, fails) => {
  const farad = new FaradMock();
  farad.offer({ version: '1.1.0' });
  await farad.sync({ apply: 'now' });
  await fails(farad);
  expect((await farad.getState()).current.version).toBe('1.1.0');
  await fails(farad);
  await expect(farad.ready()).resolves.toMatchObject({ current: { version: '1.0.0' }, reason });
});

test('a failure does nothing to a bundle that is confirmed', async () => {
  const farad = new FaradMock();
  farad.crashRenderer();
  await farad.reportFailure();
  expect((await farad.getState()).blocked).toEqual([]);
});

test('now replaces the page, after it was told', async () => {
  const order: string[] = [];
  const farad = new FaradMock({ onReload: (to) => order.push(`load ${to.version}`) });
  await farad.addListener('beforeReload', ({ to }) => order.push(`before ${to.version}`));
  farad.offer({ version: '1.1.0' });
  await farad.sync({ apply: 'now' });
  expect(order).toEqual(['before 1.1.0', 'load 1.1.0']);
});

test('a mandatory release takes over now, but for a hold and by hand', async () => {
  const farad = new FaradMock();
  farad.offer({ version: '1.1.0', mandatory: true });
  await farad.sync({ apply: 'manual' });
  expect((await farad.getState()).current.version).toBe('1.0.0');

  farad.offer({ version: '1.2.0', mandatory: true });
  await farad.setHold({ until: 'background' });
  await farad.sync();
  expect((await farad.getState()).current.version).toBe('1.0.0');
  farad.background();
  expect((await farad.getState()).current.version).toBe('1.2.0');
});

test('manual waits for apply, and apply for the end of a hold', async () => {
  const farad = new FaradMock();
  farad.offer({ version: '1.1.0' });
  await expect(farad.sync({ apply: 'manual' })).resolves.toMatchObject({ status: 'held' });
  farad.restart();
  expect((await farad.getState()).current.version).toBe('1.0.0');
  await farad.setHold({ until: 'background' });
  await expect(farad.apply()).resolves.toEqual({ applying: false });
  farad.background();
  await expect(farad.apply()).resolves.toEqual({ applying: true });
  expect((await farad.getState()).current.version).toBe('1.1.0');
});

test('a hold until the restart outlasts the background', async () => {
  const farad = new FaradMock({ apply: 'background' });
  farad.offer({ version: '1.1.0' });
  await farad.setHold({ until: 'restart' });
  await farad.sync();
  farad.background();
  expect((await farad.getState()).current.version).toBe('1.0.0');
  await farad.setHold({ until: null });
  farad.background();
  expect((await farad.getState()).current.version).toBe('1.1.0');
});

test('a hold goes with the renderer whose page asked for it', async () => {
  const farad = new FaradMock({ apply: 'now' });
  farad.offer({ version: '1.1.0' });
  await farad.sync();
  await farad.setHold({ until: 'restart' });
  farad.crashRenderer();
  await farad.ready();
  farad.offer({ version: '1.2.0' });
  await farad.sync();
  expect((await farad.getState()).current.version).toBe('1.2.0');
});

test('syncs that are asked for together are one', async () => {
  const farad = new FaradMock();
  farad.offer({ version: '1.1.0', steps: 3 });
  const progress = vi.fn();
  await farad.addListener('downloadProgress', progress);
  const [first, second] = await Promise.all([farad.sync(), farad.sync({ apply: 'now' })]);
  expect(first).toBe(second);
  expect(progress).toHaveBeenCalledTimes(3);
});

test('of wishes that share a sync the soonest holds', async () => {
  const farad = new FaradMock();
  farad.offer({ version: '1.1.0' });
  await Promise.all([farad.sync({ apply: 'manual' }), farad.sync({ apply: 'now' })]);
  expect((await farad.getState()).current.version).toBe('1.1.0');

  const other = new FaradMock();
  other.offer({ version: '1.1.0' });
  await Promise.all([other.sync({ apply: 'manual' }), other.sync()]);
  const { held, next } = await other.getState();
  expect([held, next?.version]).toEqual([null, '1.1.0']);
});

test.each(['manual', 'next-start'] as const)('now applies what a sync left (%s)', async (apply) => {
  const farad = new FaradMock();
  farad.offer({ version: '1.1.0' });
  await farad.sync({ apply });
  expect((await farad.getState()).current.version).toBe('1.0.0');
  await farad.sync({ apply: 'now' });
  expect((await farad.getState()).current.version).toBe('1.1.0');
});

test('what a hold put off takes over when it is lifted', async () => {
  const farad = new FaradMock({ apply: 'now' });
  farad.offer({ version: '1.1.0' });
  await farad.setHold({ until: 'restart' });
  await farad.sync();
  expect((await farad.getState()).current.version).toBe('1.0.0');
  await farad.setHold({ until: null });
  expect((await farad.getState()).current.version).toBe('1.1.0');
});

test('a cancelled sync rejects, and the next one goes on', async () => {
  let steps = 0;
  const farad: FaradMock = new FaradMock({
    pace: async () => {
      steps += 1;
      if (steps === 2) await farad.cancel();
    },
  });
  farad.offer({ version: '1.1.0' });
  await expect(farad.sync()).rejects.toMatchObject({ code: 'cancelled' });
  await expect(farad.sync()).resolves.toMatchObject({ status: 'staged' });
});

test('a sync that is asked for after a cancel is no part of what was cancelled', async () => {
  let go = (): void => undefined;
  const first = new Promise<void>((resolve) => (go = resolve));
  const farad = new FaradMock({ pace: () => first });
  farad.offer({ version: '1.1.0' });
  const before = farad.sync();
  await farad.cancel();
  const after = [farad.sync({ apply: 'manual' }), farad.sync({ apply: 'now' })];
  go();
  await expect(before).rejects.toMatchObject({ code: 'cancelled' });
  for (const sync of after) await expect(sync).resolves.toMatchObject({ via: 'pack' });
  const { current, syncing } = await farad.getState();
  expect(current.version).toBe('1.1.0');
  expect(syncing).toBe(false);
  await farad.cancel();
  await expect(farad.sync()).resolves.toMatchObject({ status: 'up-to-date' });
});

test('a scripted failure has its code and data, and is told as an event', async () => {
  const farad = new FaradMock();
  const failed = vi.fn();
  await farad.addListener('updateFailed', failed);
  farad.failNext('sync', { code: 'http-status', data: { httpStatus: 503, retryable: true } });
  await expect(farad.sync()).rejects.toMatchObject({
    code: 'http-status',
    data: { stage: 'download', httpStatus: 503, retryable: true },
  });
  expect(failed).toHaveBeenCalledWith({ code: 'http-status', stage: 'download' });
  expect((await farad.getState()).lastError).toEqual({ code: 'http-status', stage: 'download' });
  await expect(farad.sync()).resolves.toMatchObject({ status: 'up-to-date' });
  expect((await farad.getState()).lastError).toBeNull();
});

test('an answer stands for every check until it is lifted', async () => {
  const farad = new FaradMock();
  const needed = vi.fn();
  await farad.addListener('nativeUpdateRequired', needed);
  farad.offer({ version: '2.0.0' });
  farad.answer('incompatible');
  await expect(farad.check()).resolves.toMatchObject({
    status: 'incompatible',
    release: { version: '2.0.0' },
  });
  expect(needed).toHaveBeenCalledOnce();
  farad.answer(null);
  await expect(farad.check()).resolves.toMatchObject({ status: 'available', bytes: 100_000 });
});

test('only allowed channels can be followed', async () => {
  const farad = new FaradMock({ allowedChannels: ['beta'] });
  await farad.setChannel({ channel: 'beta' });
  await expect(farad.getChannel()).resolves.toEqual({ channel: 'beta' });
  await expect(farad.setChannel({ channel: 'nightly' })).rejects.toMatchObject({
    code: 'config-invalid',
  });
  await farad.setChannel({ channel: null });
  await expect(farad.getChannel()).resolves.toEqual({ channel: 'production' });
});

test('the calls of the app are noted', async () => {
  const farad = new FaradMock();
  await farad.ready();
  await farad.setHold({ until: 'restart' });
  expect(farad.calls).toEqual([
    { method: 'ready', options: null },
    { method: 'setHold', options: { until: 'restart' } },
  ]);
});
