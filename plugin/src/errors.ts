// What a call rejects with, and what is told of a sync that failed.

export interface Failure {
  /** @since 0.1.0 */
  code: ErrorCode;

  /** @since 0.1.0 */
  stage: Stage;
}

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
