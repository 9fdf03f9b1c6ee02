// Listeners of the mock, with Capacitor's rule for events that are kept until somebody listens.

import type { PluginListenerHandle } from '@capacitor/core';

type Listener = (data: never) => void;

export class Listeners {
  private readonly byEvent = new Map<string, Set<Listener>>();
  private readonly kept = new Map<string, unknown[]>();

  async add(event: string, listener: Listener): Promise<PluginListenerHandle> {
    const listeners = this.byEvent.get(event) ?? new Set();
    this.byEvent.set(event, listeners.add(listener));
    for (const data of this.kept.get(event) ?? []) listener(data as never);
    this.kept.delete(event);
    return { remove: async () => void listeners.delete(listener) };
  }

  clear(): void {
    this.byEvent.clear();
  }

  emit(event: string, data: unknown): void {
    for (const listener of this.byEvent.get(event) ?? []) listener(data as never);
  }

  /** As {@link emit}; where nobody listens, the first who does is told. */
  emitKept(event: string, data: unknown): void {
    if (this.byEvent.get(event)?.size) this.emit(event, data);
    else this.kept.set(event, [...(this.kept.get(event) ?? []), data]);
  }
}
