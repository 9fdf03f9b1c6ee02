// What native code offers the plugin's script. It is the page's API, but for the calls that speak for
// one page: they carry the nonce by which native code knows the page (src/page.ts).

import type { FaradPlugin, ReadyResult, ReportFailureOptions } from './definitions.js';

/** Names one loaded page: 128 random bits, hex. */
export interface PageNonce {
  nonce: string;
}

export interface NativeFarad extends Omit<FaradPlugin, 'ready' | 'reportFailure'> {
  /**
   * Ties the page to the launch whose folder it was served from. Refused with `stale-token` while
   * that launch's page has not begun to load.
   */
  attach(page: PageNonce): Promise<void>;

  ready(page: PageNonce): Promise<ReadyResult>;

  reportFailure(options: PageNonce & ReportFailureOptions): Promise<void>;
}
