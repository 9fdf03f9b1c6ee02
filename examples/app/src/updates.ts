import {
  Farad,
  type Bundle,
  type FaradError,
  type RollbackReason,
  type SyncOptions,
} from '@farad/capacitor';

/** What the page about updates shows. */
export interface Shown {
  current: Bundle | null;
  /** How the last thing that was asked for went. */
  status: string;
  /** From 0 to 1 while a download is under way. */
  progress: number | null;
  /** A bundle that was given up, and why. */
  givenUp: { bundle: Bundle; reason: RollbackReason } | null;
}

type Listener = (shown: Shown) => void;

/** The app's view of its own updates. */
class Updates {
  private shown: Shown = { current: null, status: '', progress: null, givenUp: null };
  private listeners = new Set<Listener>();

  /** Listens to the plugin. Call it once, before `ready`. */
  async begin(): Promise<void> {
    await Farad.addListener('downloadProgress', ({ ratio }) => this.show({ progress: ratio }));
    await Farad.addListener('updateStaged', ({ release, status }) => {
      this.show({ progress: null, status: `${release?.version ?? 'built-in'} is ${status}` });
    });
    await Farad.addListener('updateFailed', ({ code, stage }) => {
      this.show({ progress: null, status: `failed: ${code} (${stage})` });
    });
    await Farad.addListener('rolledBack', ({ from, reason }) => {
      this.show({ givenUp: { bundle: from, reason } });
    });
    const { current } = await Farad.getState();
    this.show({ current });
  }

  /** Says that this bundle came up. */
  async ready(): Promise<void> {
    const { current, rolledBack, reason } = await Farad.ready();
    this.show({ current });
    if (rolledBack && reason) this.show({ givenUp: { bundle: rolledBack, reason } });
  }

  async check(): Promise<void> {
    await this.ask(async () => {
      const { status, release, bytes } = await Farad.check();
      const what = status === 'available' ? ` (${release?.version ?? ''}, ${bytes} bytes)` : '';
      return `${status}${what}`;
    });
  }

  async update(options: SyncOptions): Promise<void> {
    await this.ask(async () => {
      const { status, release, via } = await Farad.sync(options);
      return via ? `${release?.version ?? ''} is ${status}, via ${via}` : status;
    });
  }

  async apply(): Promise<void> {
    await this.ask(async () => {
      const { applying } = await Farad.apply();
      return applying ? 'loading' : 'nothing waits';
    });
  }

  async report(): Promise<void> {
    await this.ask(async () => {
      await Farad.reportFailure({ message: 'the customer said so' });
      return 'reported';
    });
  }

  onChange(listener: Listener): void {
    this.listeners.add(listener);
    listener(this.shown);
  }

  private async ask(what: () => Promise<string>): Promise<void> {
    try {
      this.show({ status: 'asking', progress: null });
      this.show({ status: await what(), progress: null });
    } catch (error) {
      this.show({ status: `failed: ${(error as FaradError).code}`, progress: null });
    }
  }

  private show(change: Partial<Shown>): void {
    this.shown = { ...this.shown, ...change };
    for (const listener of this.listeners) listener(this.shown);
  }
}

export const updates = new Updates();
