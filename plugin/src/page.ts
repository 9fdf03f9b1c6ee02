// Ties this page to the launch it came from, before any code of the app can run on. The token of the
// launch stays in native code: a page shows a nonce of its own making, and a page that is being
// replaced shows one that names an old launch.

import type { NativeFarad } from './native.js';
import type { Worker } from './worker.js';

/** This page, as native code knows it. */
export class Page {
  private readonly nonce = randomNonce();
  private readonly attached: Promise<void>;

  /**
   * Attaches at once, unless a service worker stands between the page and its bundle: then the page
   * may be any old one, and the one that comes in its place attaches.
   */
  constructor(native: NativeFarad, worker: Worker) {
    this.attached = worker.controls() ? worker.remove() : native.attach({ nonce: this.nonce });
    // Whoever asks for the nonce is told; a page that never asks needs no unhandled rejection.
    this.attached.catch(() => undefined);
  }

  /** The nonce, once native code knows it. Rejects as attaching did. */
  async attachedNonce(): Promise<string> {
    await this.attached;
    return this.nonce;
  }
}

function randomNonce(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
