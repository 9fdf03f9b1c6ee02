// In a browser there is nothing to update: calls resolve and do nothing, so that an app needs no
// question of where it runs.

import { WebPlugin } from '@capacitor/core';

import type {
  ApplyResult,
  Bundle,
  ChannelResult,
  CheckResult,
  DeviceInfo,
  ReadyResult,
  State,
  SyncResult,
} from './definitions.js';
import type { NativeFarad } from './native.js';

const BUILTIN: Bundle = { id: 'builtin', version: null, sequence: null, channel: null };

export class FaradWeb extends WebPlugin implements NativeFarad {
  async attach(): Promise<void> {}

  async ready(): Promise<ReadyResult> {
    return { current: { ...BUILTIN }, previous: null, rolledBack: null, reason: null };
  }

  async check(): Promise<CheckResult> {
    return { status: 'unavailable', release: null, bytes: 0, mandatory: false, notes: null };
  }

  async sync(): Promise<SyncResult> {
    return { status: 'unavailable', release: null, via: null, bytes: 0 };
  }

  async apply(): Promise<ApplyResult> {
    return { applying: false };
  }

  async reload(): Promise<void> {}

  async reset(): Promise<void> {}

  async getState(): Promise<State> {
    return {
      builtin: { ...BUILTIN },
      current: { ...BUILTIN },
      next: null,
      held: null,
      previous: null,
      blocked: [],
      channel: null,
      syncing: false,
      lastCheck: null,
      lastError: null,
      belowFloor: false,
    };
  }

  async reportFailure(): Promise<void> {}

  async getChannel(): Promise<ChannelResult> {
    return { channel: null };
  }

  async setChannel(): Promise<void> {}

  async setHold(): Promise<void> {}

  async getDeviceInfo(): Promise<DeviceInfo> {
    return {
      platform: 'web',
      installId: null,
      appId: null,
      nativeVersion: null,
      nativeBuild: null,
      coreVersion: null,
    };
  }

  async cancel(): Promise<void> {}
}
