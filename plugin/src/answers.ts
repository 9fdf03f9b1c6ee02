// What calls of a page take, and what they answer.

import type { Failure } from './errors.js';

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
   * Whether this page is about to be replaced. False where nothing waits, a hold is on, or nobody
   * has seen the app yet.
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
