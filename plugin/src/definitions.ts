// What a page may ask of Farad, and what it is told. The names of methods, events, statuses,
// reasons and codes are the same in Rust, Kotlin, Swift and docs/errors.md; tests/wiring.rs
// compares them.

import type { PluginListenerHandle } from '@capacitor/core';

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
   * bundle that does not say so before `readyTimeout` ends is tried once more and then given up.
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
   * nothing waits, or while a hold is on.
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
   * Puts off applying, while a payment is under way, say. Downloads go on. A hold ends by itself as
   * told; null ends it now. It does not survive the process.
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
   * Ends the sync that is under way; it rejects with `cancelled`. What came is kept, and the next
   * sync goes on from there.
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

/** A bundle on the device. */
export interface Bundle {
  /**
   * SHA-256 of the signed manifest, 64 hex digits; `builtin` for the one in the native app.
   *
   * @since 0.1.0
   */
  id: string;

  /**
   * Version as the publisher wrote it; null for a built-in bundle that is no release.
   *
   * @since 0.1.0
   */
  version: string | null;

  /**
   * Rises with every release of the channel; null where `version` is.
   *
   * @since 0.1.0
   */
  sequence: number | null;

  /**
   * Channel it was released in; null where `version` is.
   *
   * @since 0.1.0
   */
  channel: string | null;
}

/** A bundle that was given up on this device, and is not tried again under this native app. */
export interface BlockedBundle {
  /** @since 0.1.0 */
  id: string;

  /**
   * Null where the bundle's description is gone from the device.
   *
   * @since 0.1.0
   */
  version: string | null;

  /**
   * Null where it was blocked by a newer client whose reason this one does not know.
   *
   * @since 0.1.0
   */
  reason: RollbackReason | null;
}

export interface ReadyResult {
  /**
   * What runs, and is confirmed now.
   *
   * @since 0.1.0
   */
  current: Bundle;

  /**
   * What it would fall back to, if that is not the built-in bundle.
   *
   * @since 0.1.0
   */
  previous: Bundle | null;

  /**
   * The bundle that was given up before this launch, told to the first page that becomes ready.
   *
   * @since 0.1.0
   */
  rolledBack: Bundle | null;

  /**
   * Why it was given up.
   *
   * @since 0.1.0
   */
  reason: RollbackReason | null;
}

export interface CheckResult {
  /** @since 0.1.0 */
  status: SyncStatus;

  /**
   * What is offered, else what the device has; null for a built-in bundle that is no release.
   *
   * @since 0.1.0
   */
  release: Bundle | null;

  /**
   * Bytes that a sync would fetch at most.
   *
   * @since 0.1.0
   */
  bytes: number;

  /**
   * The publisher says that the app should not go on without it.
   *
   * @since 0.1.0
   */
  mandatory: boolean;

  /**
   * The publisher's notes on the release, where `status` is `available` and there are any.
   *
   * @since 0.1.0
   */
  notes: string | null;
}

export interface SyncOptions {
  /**
   * When a new bundle takes over: at the next start of the app; when the app is next in the
   * background; now; or when the app calls `apply()`.
   *
   * @default the `apply` of the configuration
   * @since 0.1.0
   */
  apply?: Apply;
}

export interface SyncResult {
  /** @since 0.1.0 */
  status: SyncStatus;

  /**
   * What is offered, else what the device has; null for a built-in bundle that is no release.
   *
   * @since 0.1.0
   */
  release: Bundle | null;

  /**
   * Where the bytes came from; null where nothing was staged.
   *
   * @since 0.1.0
   */
  via: Via | null;

  /**
   * Bytes that travelled, metadata included.
   *
   * @since 0.1.0
   */
  bytes: number;
}

export interface ApplyResult {
  /**
   * Whether this page is about to be replaced. False where nothing waits, or a hold is on.
   *
   * @since 0.1.0
   */
  applying: boolean;
}

export interface State {
  /**
   * The bundle in the native app.
   *
   * @since 0.1.0
   */
  builtin: Bundle;

  /**
   * What this page came from.
   *
   * @since 0.1.0
   */
  current: Bundle;

  /**
   * What the next start tries.
   *
   * @since 0.1.0
   */
  next: Bundle | null;

  /**
   * Downloaded, and waiting for `apply()`.
   *
   * @since 0.1.0
   */
  held: Bundle | null;

  /**
   * What `current` would fall back to, if that is not the built-in bundle.
   *
   * @since 0.1.0
   */
  previous: Bundle | null;

  /** @since 0.1.0 */
  blocked: BlockedBundle[];

  /**
   * The channel that is followed; null in a browser.
   *
   * @since 0.1.0
   */
  channel: string | null;

  /**
   * Whether a check or a sync is under way.
   *
   * @since 0.1.0
   */
  syncing: boolean;

  /**
   * When a check or a sync last ended well, RFC 3339; null if none did since the app's process began.
   *
   * @since 0.1.0
   */
  lastCheck: string | null;

  /**
   * How the last check or sync failed; null if it did not.
   *
   * @since 0.1.0
   */
  lastError: Failure | null;

  /**
   * Nothing that the publisher's policy still allows is left on the device; the least bad runs.
   *
   * @since 0.1.0
   */
  belowFloor: boolean;
}

export interface ReportFailureOptions {
  /**
   * For the native log. At most 256 characters are kept.
   *
   * @since 0.1.0
   */
  message?: string;
}

export interface ChannelResult {
  /**
   * Null in a browser.
   *
   * @since 0.1.0
   */
  channel: string | null;
}

export interface SetChannelOptions {
  /**
   * One of the `allowedChannels` of the configuration; null for the configured channel.
   *
   * @since 0.1.0
   */
  channel: string | null;
}

export interface SetHoldOptions {
  /**
   * When the hold ends: when the app goes to the background, or when it is started anew.
   *
   * @since 0.1.0
   */
  until: Hold | null;
}

export interface DeviceInfo {
  /** @since 0.1.0 */
  platform: 'android' | 'ios' | 'web';

  /**
   * Names this installation in an allow-list; null in a browser.
   *
   * @since 0.1.0
   */
  installId: string | null;

  /**
   * The app's id in its repository; null in a browser.
   *
   * @since 0.1.0
   */
  appId: string | null;

  /**
   * `versionName`, `CFBundleShortVersionString`; null in a browser.
   *
   * @since 0.1.0
   */
  nativeVersion: string | null;

  /**
   * `versionCode`, `CFBundleVersion`; null in a browser.
   *
   * @since 0.1.0
   */
  nativeBuild: string | null;

  /**
   * Version of Farad in the native app; null in a browser.
   *
   * @since 0.1.0
   */
  coreVersion: string | null;
}

export interface DownloadProgressEvent {
  /**
   * Bytes received.
   *
   * @since 0.1.0
   */
  bytes: number;

  /**
   * Bytes in all.
   *
   * @since 0.1.0
   */
  total: number;

  /**
   * From 0 to 1.
   *
   * @since 0.1.0
   */
  ratio: number;
}

export interface UpdateAvailableEvent {
  /** @since 0.1.0 */
  release: Bundle;

  /**
   * Bytes to fetch at most.
   *
   * @since 0.1.0
   */
  bytes: number;

  /** @since 0.1.0 */
  mandatory: boolean;
}

export interface UpdateStagedEvent {
  /**
   * `staged`, or `held` where it waits for `apply()`.
   *
   * @since 0.1.0
   */
  status: SyncStatus;

  /**
   * Null for the bundle in the native app, if that is no release.
   *
   * @since 0.1.0
   */
  release: Bundle | null;
}

export interface Failure {
  /** @since 0.1.0 */
  code: ErrorCode;

  /** @since 0.1.0 */
  stage: Stage;
}

export type UpdateFailedEvent = Failure;

export interface NativeUpdateRequiredEvent {
  /**
   * The release that does not run on this native app.
   *
   * @since 0.1.0
   */
  release: Bundle | null;
}

export interface RolledBackEvent {
  /**
   * What was given up.
   *
   * @since 0.1.0
   */
  from: Bundle;

  /**
   * What runs instead.
   *
   * @since 0.1.0
   */
  to: Bundle;

  /** @since 0.1.0 */
  reason: RollbackReason;
}

export interface BeforeReloadEvent {
  /**
   * What is loaded next.
   *
   * @since 0.1.0
   */
  to: Bundle;
}

/** When a new bundle takes over. */
export type Apply = 'next-start' | 'background' | 'now' | 'manual';

/** What ends a hold. */
export type Hold = 'background' | 'restart';

/** How a check or a sync ended. `available` only after a check; `unavailable` in a browser. */
export type SyncStatus =
  | 'up-to-date'
  | 'available'
  | 'staged'
  | 'held'
  | 'incompatible'
  | 'not-offered'
  | 'blocked'
  | 'key-missing'
  | 'unsupported'
  | 'unavailable';

/** Where the bytes of a bundle came from: all from the device, a patch, parts of the pack, all of the pack. */
export type Via = 'local' | 'patch' | 'ranges' | 'pack';

/** Why a bundle was given up. */
export type RollbackReason = 'not-ready' | 'renderer-gone' | 'reported';

/** Which part of the work failed. */
export type Stage = 'config' | 'check' | 'download' | 'apply' | 'call';

/** What went wrong; docs/errors.md says what to do about each. */
export type ErrorCode =
  | 'config-invalid'
  | 'network'
  | 'http-status'
  | 'too-slow'
  | 'too-early'
  | 'malformed'
  | 'hash-mismatch'
  | 'too-large'
  | 'no-space'
  | 'storage'
  | 'busy'
  | 'seal'
  | 'cancelled'
  | 'argument-invalid'
  | 'not-allowed'
  | 'stale-token'
  | 'bad-root'
  | 'duplicate-signature'
  | 'signature'
  | 'wrong-type'
  | 'unsupported-spec'
  | 'root-version'
  | 'rollback'
  | 'role-removed'
  | 'version-mismatch'
  | 'no-usable-hash'
  | 'expired'
  | 'not-in-snapshot'
  | 'target-not-found'
  | 'wrong-repository'
  | 'missing';

/** What a call rejects with. Test `code`, not the class or the text. */
export interface FaradError extends Error {
  /** @since 0.1.0 */
  code: ErrorCode;

  /** @since 0.1.0 */
  data: FaradErrorData;
}

export interface FaradErrorData {
  /** @since 0.1.0 */
  stage: Stage;

  /**
   * Whether the same call may succeed later without anybody's doing.
   *
   * @since 0.1.0
   */
  retryable: boolean;

  /**
   * The role of the metadata that was refused.
   *
   * @since 0.1.0
   */
  role?: string;

  /**
   * What the server answered.
   *
   * @since 0.1.0
   */
  httpStatus?: number;
}
