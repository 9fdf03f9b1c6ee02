// A service worker of the app that serves from its cache goes on serving the old bundle after a
// switch: the origin is the same for all of them. Such a page could confirm a bundle that never ran.
// So a page that came through a worker removes it, and loads itself anew from the bundle.

import type { FaradError } from './definitions.js';

const TRIED = 'farad.worker-removed';
/** A page that registers its worker again while it is being removed needs a second go. */
const TRIES = 3;

/** The part of `window` that is needed; tests pass their own. */
export interface Surroundings {
  navigator: { serviceWorker?: Pick<ServiceWorkerContainer, 'controller' | 'getRegistrations'> };
  caches?: Pick<CacheStorage, 'keys' | 'delete'>;
  sessionStorage: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;
  location: Pick<Location, 'reload'>;
  console: Pick<Console, 'warn'>;
}

export class Worker {
  constructor(private readonly around: Surroundings) {}

  /** Whether this page came through a service worker. */
  controls(): boolean {
    const controls = Boolean(this.around.navigator.serviceWorker?.controller);
    if (!controls) this.around.sessionStorage.removeItem(TRIED);
    return controls;
  }

  /**
   * Unregisters the origin's workers, empties Cache Storage, and loads the page anew. Never
   * resolves; rejects with `stale-token` where pages that came in its place had a worker too.
   */
  async remove(): Promise<never> {
    const tried = Number(this.around.sessionStorage.getItem(TRIED) ?? 0);
    if (tried >= TRIES) throw stillThere();
    this.around.sessionStorage.setItem(TRIED, String(tried + 1));
    this.around.console.warn(
      'Farad: a service worker served this page, perhaps from an older bundle; it is removed. ' +
        'Register none in the native app.',
    );
    const { serviceWorker } = this.around.navigator;
    const registrations = (await serviceWorker?.getRegistrations()) ?? [];
    await Promise.all(registrations.map((registration) => registration.unregister()));
    const { caches } = this.around;
    if (caches) await Promise.all((await caches.keys()).map((name) => caches.delete(name)));
    this.around.location.reload();
    return new Promise<never>(() => undefined);
  }
}

function stillThere(): FaradError {
  const error = new Error('a service worker stands between this page and its bundle');
  return Object.assign(error, {
    code: 'stale-token' as const,
    data: { stage: 'call' as const, retryable: false },
  });
}
