// The page's API over what native code offers.

import type { FaradPlugin } from './definitions.js';
import type { NativeFarad } from './native.js';

/** The API for a page that `nonce` gives the nonce of. */
export function facade(native: NativeFarad, nonce: () => Promise<string>): FaradPlugin {
  return {
    ready: async () => native.ready({ nonce: await nonce() }),
    check: () => native.check(),
    sync: (options) => native.sync(options),
    apply: () => native.apply(),
    reload: () => native.reload(),
    reset: () => native.reset(),
    getState: () => native.getState(),
    reportFailure: async (options) => native.reportFailure({ ...options, nonce: await nonce() }),
    getChannel: () => native.getChannel(),
    setChannel: (options) => native.setChannel(options),
    setHold: (options) => native.setHold(options),
    getDeviceInfo: () => native.getDeviceInfo(),
    cancel: () => native.cancel(),
    addListener: (event: never, listener: never) => native.addListener(event, listener),
    removeAllListeners: () => native.removeAllListeners(),
  };
}
