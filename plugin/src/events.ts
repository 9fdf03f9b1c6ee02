// What a page is told without asking.

import type { Bundle, RollbackReason, SyncStatus } from './answers.js';
import type { Failure } from './errors.js';

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
  /**
   * Null for the bundle in the native app, if that is no release.
   *
   * @since 0.1.0
   */
  release: Bundle | null;

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
