// The plugin as an app imports it. Importing it ties the page to its launch.

import { Capacitor, registerPlugin } from '@capacitor/core';

import './config.js';
import type { FaradPlugin } from './definitions.js';
import { facade } from './facade.js';
import type { NativeFarad } from './native.js';
import { Page } from './page.js';
import { Worker } from './worker.js';

const native = registerPlugin<NativeFarad>('Farad', {
  web: () => import('./web.js').then(({ FaradWeb }) => new FaradWeb()),
});

const page = Capacitor.isNativePlatform() ? new Page(native, new Worker(window)) : null;

export const Farad: FaradPlugin = facade(native, async () => page?.attachedNonce() ?? '');

export * from './definitions.js';
