// Farad without a phone: an app's test says what is offered, what fails and when the app restarts,
// and the mock answers as the real plugin does. The rules of trial, confirmation and undo are those
// of docs/boot.md, without their crashes.

import type { PluginListenerHandle } from '@capacitor/core';

import type {
  Apply,
  ApplyResult,
  BlockedBundle,
  Bundle,
  ChannelResult,
  CheckResult,
  DeviceInfo,
  ErrorCode,
  Failure,
  FaradError,
  FaradErrorData,
  FaradPlugin,
  Hold,
  ReadyResult,
  ReportFailureOptions,
  RollbackReason,
  RolledBackEvent,
  SetChannelOptions,
  SetHoldOptions,
  Stage,
  State,
  SyncOptions,
  SyncResult,
  SyncStatus,
} from '../definitions.js';
import { Listeners } from './listeners.js';

/** A call that can be made to fail. */
export type MockMethod = Exclude<keyof FaradPlugin, 'addListener' | 'removeAllListeners'>;

export interface MockOptions {
  /** Version of the built-in bundle. Default `1.0.0`. */
  builtin?: string;
  /** The configured channel. Default `production`. */
  channel?: string;
  /** Channels besides that `setChannel` may choose. */
  allowedChannels?: string[];
  /** As in the configuration. Default `next-start`. */
  apply?: Apply;
  /** Launches that a new bundle gets to say it is ready. Default 2. */
  attempts?: number;
  /** Called where the page would be replaced. */
  onReload?: (to: Bundle) => void;
  /** Awaited between any two `downloadProgress` events, so that a test can look in between. */
  pace?: () => Promise<void>;
}

export interface MockOffer {
  version: string;
  /** Default: 64 hex digits made from the version. */
  id?: string;
  /** Bytes of the download. Default 100000. */
  bytes?: number;
  /** How many `downloadProgress` events a download makes. Default 4. */
  steps?: number;
  mandatory?: boolean;
  notes?: string;
}

export interface MockFailure {
  code: ErrorCode;
  data?: Partial<FaradErrorData>;
}

/** One call that the app made. */
export interface MockCall {
  method: MockMethod;
  options: unknown;
}

/** What the server offers. */
interface Offered {
  release: Bundle;
  bytes: number;
  steps: number;
  mandatory: boolean;
  notes: string | null;
}

/** A sync, as those know it who share it. */
interface Run {
  /** The soonest of their wishes. */
  wish: Apply;
  /** What is asked for from then on is no part of it. */
  cancelled: boolean;
}

export class FaradMock implements FaradPlugin {
  /** Calls of the app, oldest first. */
  readonly calls: MockCall[] = [];

  private readonly builtin: Bundle;
  private readonly settings: Required<Omit<MockOptions, 'builtin' | 'onReload' | 'pace'>>;
  private readonly onReload: (to: Bundle) => void;
  private readonly pace: () => Promise<void>;
  private readonly listeners = new Listeners();
  private readonly failures = new Map<MockMethod, MockFailure[]>();

  private confirmed: Bundle;
  private previous: Bundle | null = null;
  private trial: { bundle: Bundle; launches: number } | null = null;
  private next: Bundle | null = null;
  private held: Bundle | null = null;
  private readonly blocked: BlockedBundle[] = [];
  private undone: RolledBackEvent | null = null;

  private channel: string;
  private hold: Hold | null = null;
  /** What waits takes over within this process, as soon as it may. */
  private pending: Apply | null = null;
  private offered: Offered | null = null;
  private answered: SyncStatus | null = null;
  private sequence = 1;
  private run: Run = { wish: 'manual', cancelled: false };
  /** Until `run` has ended. */
  private running: Promise<SyncResult> | null = null;
  private lastCheck: string | null = null;
  private lastError: Failure | null = null;

  constructor(options: MockOptions = {}) {
    this.settings = {
      channel: options.channel ?? 'production',
      allowedChannels: options.allowedChannels ?? [],
      apply: options.apply ?? 'next-start',
      attempts: options.attempts ?? 2,
    };
    this.onReload = options.onReload ?? (() => undefined);
    this.pace = options.pace ?? (() => Promise.resolve());
    this.channel = this.settings.channel;
    this.builtin = this.bundle(options.builtin ?? '1.0.0', 'builtin');
    this.confirmed = this.builtin;
  }

  // What a test scripts.

  /** The server offers a release from now on. */
  offer(offer: MockOffer): void {
    this.answered = null;
    this.sequence += 1;
    this.offered = {
      release: this.bundle(offer.version, offer.id ?? idOf(offer.version)),
      bytes: offer.bytes ?? 100_000,
      steps: offer.steps ?? 4,
      mandatory: offer.mandatory ?? false,
      notes: offer.notes ?? null,
    };
  }

  /** Every check and sync ends like this from now on, whatever is offered; null lifts it. */
  answer(status: SyncStatus | null): void {
    this.answered = status;
  }

  /** The next call of `method` rejects. Failures of one method queue up. */
  failNext(method: MockMethod, failure: MockFailure): void {
    this.failures.set(method, [...(this.failures.get(method) ?? []), failure]);
  }

  /** The process of the app ends and starts again: what waits is tried, silence is counted. */
  restart(): void {
    this.hold = null;
    this.pending = null;
    if (this.trial) this.lose(this.trial, 'not-ready');
    this.start();
  }

  /** The app goes to the background. */
  background(): void {
    if (this.hold === 'background') this.hold = null;
    if (this.pending !== null && this.hold === null) this.switchOver();
  }

  /** The running bundle let `readyTimeout` pass. Does nothing where it is confirmed. */
  letReadyTimePass(): void {
    this.loseLaunch('not-ready');
  }

  /** The renderer of the running bundle dies. Does nothing where it is confirmed. */
  crashRenderer(): void {
    // The page that asked for it goes with its web view.
    if (this.trial) this.hold = this.pending = null;
    this.loseLaunch('renderer-gone');
  }

  // The plugin's API.

  async ready(): Promise<ReadyResult> {
    this.begin('ready');
    if (this.trial) {
      this.previous = this.confirmed.id === 'builtin' ? null : this.confirmed;
      this.confirmed = this.trial.bundle;
      this.trial = null;
      this.changed();
    }
    const undone = this.undone;
    this.undone = null;
    return {
      current: this.current(),
      previous: this.previous,
      rolledBack: undone?.from ?? null,
      reason: undone?.reason ?? null,
    };
  }

  async check(): Promise<CheckResult> {
    this.begin('check');
    const status = this.status();
    const offer = status === 'available' ? this.offered : null;
    this.checked(status);
    return {
      status,
      release: this.about(status),
      bytes: offer?.bytes ?? 0,
      mandatory: offer?.mandatory ?? false,
      notes: offer?.notes ?? null,
    };
  }

  async sync(options: SyncOptions = {}): Promise<SyncResult> {
    this.begin('sync', options);
    const wish = options.apply ?? this.settings.apply;
    if (this.running && !this.run.cancelled) {
      this.run.wish = sooner(this.run.wish, wish);
      return this.running;
    }
    const run: Run = { wish, cancelled: false };
    // One that was cancelled takes a while to end.
    const before = this.running?.catch(() => null);
    const ended = (before?.then(() => this.carryOut(run)) ?? this.carryOut(run)).finally(() => {
      if (this.run === run) this.running = null;
      this.changed();
    });
    this.run = run;
    this.running = ended;
    return ended;
  }

  async apply(): Promise<ApplyResult> {
    this.begin('apply');
    if (this.hold !== null || (this.held ?? this.next) === null) return { applying: false };
    this.switchOver();
    return { applying: true };
  }

  async reload(): Promise<void> {
    this.begin('reload');
    this.replacePage();
  }

  async reset(): Promise<void> {
    this.begin('reset');
    this.trial = this.next = this.held = this.previous = null;
    this.confirmed = this.builtin;
    this.changed();
    this.replacePage();
  }

  async getState(): Promise<State> {
    this.begin('getState');
    return this.state();
  }

  async reportFailure(options: ReportFailureOptions = {}): Promise<void> {
    this.begin('reportFailure', options);
    this.loseLaunch('reported');
  }

  async getChannel(): Promise<ChannelResult> {
    this.begin('getChannel');
    return { channel: this.channel };
  }

  async setChannel(options: SetChannelOptions): Promise<void> {
    this.begin('setChannel', options);
    const channel = options.channel ?? this.settings.channel;
    if (![this.settings.channel, ...this.settings.allowedChannels].includes(channel)) {
      throw faradError({ code: 'config-invalid' }, 'call');
    }
    this.channel = channel;
    this.changed();
  }

  async setHold(options: SetHoldOptions): Promise<void> {
    this.begin('setHold', options);
    this.hold = options.until;
    if (this.hold === null && this.pending !== null) this.takeOver(this.pending);
  }

  async getDeviceInfo(): Promise<DeviceInfo> {
    this.begin('getDeviceInfo');
    return {
      platform: 'web',
      installId: '00000000000000000000000000000000',
      appId: 'com.example.app',
      nativeVersion: '1.0.0',
      nativeBuild: '1',
      coreVersion: '0.1.0',
    };
  }

  async cancel(): Promise<void> {
    this.begin('cancel');
    this.run.cancelled = true;
  }

  addListener = ((event: string, listener: (data: never) => void): Promise<PluginListenerHandle> =>
    this.listeners.add(event, listener)) as FaradPlugin['addListener'];

  async removeAllListeners(): Promise<void> {
    this.listeners.clear();
  }

  // One sync.

  private async carryOut(run: Run): Promise<SyncResult> {
    const { wish } = run;
    this.changed();
    try {
      const status = this.status();
      this.checked(status);
      if (status !== 'available' || !this.offered) {
        const left = { status, release: this.about(status), via: null, bytes: 400 };
        this.letTakeOver(status, run);
        return left;
      }
      return await this.download(this.offered, wish, run);
    } catch (error) {
      const { code, data } = error as FaradError;
      this.lastError = { code, stage: data.stage };
      this.listeners.emit('updateFailed', this.lastError);
      throw error;
    }
  }

  private async download(offer: Offered, apply: Apply, run: Run): Promise<SyncResult> {
    for (let step = 1; step <= offer.steps; step += 1) {
      await this.pace();
      if (run.cancelled) throw faradError({ code: 'cancelled' }, 'download');
      const ratio = step / offer.steps;
      const bytes = Math.round(offer.bytes * ratio);
      this.listeners.emit('downloadProgress', { bytes, total: offer.bytes, ratio });
    }
    const { release } = offer;
    const status = apply === 'manual' ? 'held' : 'staged';
    this.held = status === 'held' ? release : null;
    this.next = status === 'held' ? null : release;
    this.listeners.emit('updateStaged', { status, release });
    this.letTakeOver(status, run);
    return { status, release, via: 'pack', bytes: offer.bytes + 400 };
  }

  /** Decides when what a sync left waiting takes over. */
  private letTakeOver(status: SyncStatus, { wish }: Run): void {
    if (status !== 'staged' && status !== 'held') return;
    if (wish === 'manual') return;
    // The publisher's word that nobody should go on without it ends no hold and no "by hand".
    const apply = this.offered?.mandatory ? 'now' : wish;
    if (apply === 'next-start') {
      this.next = this.held ?? this.next;
      this.held = null;
    } else {
      this.takeOver(apply);
    }
  }

  /** What waits takes over, as soon as it may; the app is in sight. */
  private takeOver(apply: Apply): void {
    if (apply === 'background' || this.hold !== null) {
      this.pending = this.pending === null ? apply : sooner(this.pending, apply);
    } else {
      this.switchOver();
    }
  }

  private status(): SyncStatus {
    if (this.answered) return this.answered;
    if (!this.offered) return 'up-to-date';
    const { id } = this.offered.release;
    if (this.blocked.some((blocked) => blocked.id === id)) return 'blocked';
    if (this.held?.id === id) return 'held';
    if (this.next?.id === id) return 'staged';
    return this.current().id === id ? 'up-to-date' : 'available';
  }

  private checked(status: SyncStatus): void {
    this.lastCheck = new Date().toISOString();
    this.lastError = null;
    const release = this.about(status);
    if (status === 'available' && release && this.offered) {
      const { bytes, mandatory } = this.offered;
      this.listeners.emit('updateAvailable', { release, bytes, mandatory });
    }
    if (status === 'incompatible') this.listeners.emit('nativeUpdateRequired', { release });
  }

  private about(status: SyncStatus): Bundle | null {
    if (!this.offered || status === 'not-offered') return this.current();
    return this.offered.release;
  }

  // Starts, trial, undo.

  private switchOver(): void {
    this.pending = null;
    if ((this.held ?? this.next) === null) return;
    this.next = this.held ?? this.next;
    this.held = null;
    this.start();
    this.replacePage();
  }

  private start(): void {
    if (this.trial) {
      this.trial.launches += 1;
    } else if (this.next) {
      this.trial = { bundle: this.next, launches: 1 };
      this.next = null;
    }
    this.changed();
  }

  /** The launch on trial failed: the same bundle again, or the one before. */
  private loseLaunch(reason: RollbackReason): void {
    if (!this.trial) return;
    this.lose(this.trial, reason);
    this.start();
    this.replacePage();
  }

  private lose(trial: { bundle: Bundle; launches: number }, reason: RollbackReason): void {
    if (trial.launches < this.settings.attempts) return;
    this.trial = null;
    this.blocked.push({ id: trial.bundle.id, version: trial.bundle.version, reason });
    this.undone = { from: trial.bundle, to: this.confirmed, reason };
    this.listeners.emitKept('rolledBack', this.undone);
  }

  private replacePage(): void {
    const to = this.current();
    this.listeners.emit('beforeReload', { to });
    this.onReload(to);
  }

  private current(): Bundle {
    return this.trial?.bundle ?? this.confirmed;
  }

  private state(): State {
    return {
      builtin: this.builtin,
      current: this.current(),
      next: this.next,
      held: this.held,
      previous: this.previous,
      blocked: [...this.blocked],
      channel: this.channel,
      syncing: this.running !== null,
      lastCheck: this.lastCheck,
      lastError: this.lastError,
      belowFloor: false,
    };
  }

  private changed(): void {
    this.listeners.emit('stateChanged', this.state());
  }

  private bundle(version: string, id: string): Bundle {
    return { id, version, sequence: this.sequence, channel: this.settings.channel };
  }

  /** Notes a call, and fails it if the test said so. */
  private begin(method: MockMethod, options: unknown = null): void {
    this.calls.push({ method, options });
    const failure = this.failures.get(method)?.shift();
    if (!failure) return;
    const stage: Stage = method === 'check' ? 'check' : method === 'sync' ? 'download' : 'call';
    const error = faradError(failure, stage);
    if (method === 'check' || method === 'sync') {
      this.lastError = { code: error.code, stage: error.data.stage };
      this.listeners.emit('updateFailed', this.lastError);
    }
    throw error;
  }
}

function faradError(failure: MockFailure, stage: Stage): FaradError {
  const data: FaradErrorData = { stage, retryable: false, ...failure.data };
  return Object.assign(new Error(failure.code), { code: failure.code, data });
}

/** 64 hex digits that look like an id and differ by version. */
function idOf(version: string): string {
  let hash = 0x811c9dc5;
  let id = '';
  while (id.length < 64) {
    for (const character of version) {
      hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193) >>> 0;
    }
    hash = Math.imul(hash ^ id.length, 0x01000193) >>> 0;
    id += hash.toString(16).padStart(8, '0');
  }
  return id;
}

/** Of two wishes the one that shows the release sooner. */
function sooner(one: Apply, other: Apply): Apply {
  const order: Apply[] = ['now', 'background', 'next-start', 'manual'];
  return order.indexOf(one) < order.indexOf(other) ? one : other;
}
