// A stand-in for the plugin in an app's own tests.

export { FaradMock } from './mock.js';
export type { MockCall, MockFailure, MockMethod, MockOffer, MockOptions } from './mock.js';
