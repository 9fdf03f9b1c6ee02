// What a page may ask of Farad, and what it is told. The names of methods, events, statuses,
// reasons and codes are the same in Rust, Kotlin, Swift and docs/errors.md; tests/wiring.rs
// compares them.

import type { PluginListenerHandle } from '@capacitor/core';

import type {
  ApplyResult,
  ChannelResult,
  CheckResult,
  DeviceInfo,
  ReadyResult,
  ReportFailureOptions,
  SetChannelOptions,
  SetHoldOptions,
  State,
  SyncOptions,
  SyncResult,
} from './answers.js';
import type {
  BeforeReloadEvent,
  DownloadProgressEvent,
  NativeUpdateRequiredEvent,
  RolledBackEvent,
  UpdateAvailableEvent,
  UpdateFailedEvent,
  UpdateStagedEvent,
} from './events.js';

export type * from './answers.js';
export type * from './errors.js';
export type * from './events.js';

/**
 * Updates the web part of an app.
 *
 * A page may ask, not choose: nothing here picks a release that the signed offers do not give this
 * device, changes the server, the trust anchor or the app id, or brings back a release that was
 * given up.
 *
 * Every call but the listeners rejects with a `FaradError`. In a browser, and while the app is
 * served by live reload, calls do nothing: `sync` ends as `unavailable`, `ready` resolves.
 */
export interface FaradPlugin {
  /**
   * Confirms the bundle that this page came from. Call it once the app is up, at every start: a new
   * bundle that does not say so before `readyTimeout` ends is tried once more and then given up. Let it
   * wait for no network: a failed request that the page has handled is as good as an answer.
   *
   * Only the page of the running launch can confirm it; a page that is being replaced confirms
   * nothing and gets `stale-token`. Writes only where the bundle was on trial.
   *
   * @example
   * await Farad.ready();
   *
   * @since 0.1.0
   */
  ready(): Promise<ReadyResult>;

  /**
   * Asks what this device is offered. Changes no bundle. One small request if nothing is new.
   *
   * @since 0.1.0
   */
  check(): Promise<CheckResult>;

  /**
   * Brings the device to what it is offered: downloads, verifies, stages, and applies as told. Calls
   * made while a sync runs share it; the soonest of their wishes holds.
   *
   * With `apply: 'now'` the page is replaced as soon as the bundle is staged, and the promise may
   * never settle.
   *
   * @example
   * const { status } = await Farad.sync({ apply: 'next-start' });
   *
   * @since 0.1.0
   */
  sync(options?: SyncOptions): Promise<SyncResult>;

  /**
   * Starts what is staged or held now, by loading its page in place of this one. Does nothing where
   * nothing waits, or while a hold is on. Before the user has seen an app that the system began out of
   * sight, it takes over when they first look.
   *
   * @since 0.1.0
   */
  apply(): Promise<ApplyResult>;

  /**
   * Loads the running bundle's page anew. Takes up nothing that waits.
   *
   * @since 0.1.0
   */
  reload(): Promise<void>;

  /**
   * Goes back to the bundle in the native app and loads it, until a sync finds something else
   * offered. Rejected with `not-allowed` where the policy forbids that bundle.
   *
   * @since 0.1.0
   */
  reset(): Promise<void>;

  /**
   * What is on the device and what is under way. Reads; asks no server.
   *
   * @since 0.1.0
   */
  getState(): Promise<State>;

  /**
   * Says that the running bundle is bad. On trial, it loses this launch, and is given up if that was
   * the last one. A confirmed bundle stays: taking it back is the publisher's to do.
   *
   * @since 0.1.0
   */
  reportFailure(options?: ReportFailureOptions): Promise<void>;

  /**
   * The channel that is followed.
   *
   * @since 0.1.0
   */
  getChannel(): Promise<ChannelResult>;

  /**
   * Follows another channel from the next sync on. Rejected unless the app's configuration names it
   * in `allowedChannels`; null goes back to the configured one.
   *
   * @since 0.1.0
   */
  setChannel(options: SetChannelOptions): Promise<void>;

  /**
   * Puts off applying, while a payment is under way, say: with `until: 'restart'`, and null when it is
   * over. Downloads go on. A hold ends by itself as told; null ends it now. It survives neither the
   * process nor the web view of the page that asked for it.
   *
   * @since 0.1.0
   */
  setHold(options: SetHoldOptions): Promise<void>;

  /**
   * Versions, and the id by which an allow-list names this installation. The id is made on the
   * device and sent nowhere.
   *
   * @since 0.1.0
   */
  getDeviceInfo(): Promise<DeviceInfo>;

  /**
   * Ends the syncs and checks that are under way; they reject with `cancelled`. What is asked for
   * after that is begun anew. What came is kept, and the next sync goes on from there.
   *
   * @since 0.1.0
   */
  cancel(): Promise<void>;

  /**
   * Bytes came in; at most ten times a second.
   *
   * @since 0.1.0
   */
  addListener(
    eventName: 'downloadProgress',
    listener: (event: DownloadProgressEvent) => void,
  ): Promise<PluginListenerHandle>;

  /**
   * A check or a sync found something to download.
   *
   * @since 0.1.0
   */
  addListener(
    eventName: 'updateAvailable',
    listener: (event: UpdateAvailableEvent) => void,
  ): Promise<PluginListenerHandle>;

  /**
   * Something else runs from the next start on, or after `apply()`.
   *
   * @since 0.1.0
   */
  addListener(
    eventName: 'updateStaged',
    listener: (event: UpdateStagedEvent) => void,
  ): Promise<PluginListenerHandle>;

  /**
   * A check or a sync failed. What runs goes on running.
   *
   * @since 0.1.0
   */
  addListener(
    eventName: 'updateFailed',
    listener: (event: UpdateFailedEvent) => void,
  ): Promise<PluginListenerHandle>;

  /**
   * What is offered needs another native app: time to point at the store.
   *
   * @since 0.1.0
   */
  addListener(
    eventName: 'nativeUpdateRequired',
    listener: (event: NativeUpdateRequiredEvent) => void,
  ): Promise<PluginListenerHandle>;

  /**
   * A bundle was given up. Kept until a page has listened for it.
   *
   * @since 0.1.0
   */
  addListener(
    eventName: 'rolledBack',
    listener: (event: RolledBackEvent) => void,
  ): Promise<PluginListenerHandle>;

  /**
   * This page is about to be replaced: save what must survive. There is no veto, and little time.
   *
   * @since 0.1.0
   */
  addListener(
    eventName: 'beforeReload',
    listener: (event: BeforeReloadEvent) => void,
  ): Promise<PluginListenerHandle>;

  /**
   * Something in `getState()` changed.
   *
   * @since 0.1.0
   */
  addListener(
    eventName: 'stateChanged',
    listener: (state: State) => void,
  ): Promise<PluginListenerHandle>;

  /**
   * Removes every listener of this page.
   *
   * @since 0.1.0
   */
  removeAllListeners(): Promise<void>;
}
