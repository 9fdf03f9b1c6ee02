// `plugins.Farad` of `capacitor.config.ts`, typed. Native code reads it once, at start; a page can
// neither read nor change it.

/// <reference types="@capacitor/cli" />

import type { Apply } from './definitions.js';

declare module '@capacitor/cli' {
  export interface PluginsConfig {
    /**
     * A missing or wrong value is told in the native log, every call rejects with `config-invalid`,
     * and the bundle in the native app runs.
     */
    Farad?: {
      /**
       * Where the repository is served, or several places that serve the same one, asked in turn.
       * https, but for addresses of the machine itself.
       *
       * @since 0.1.0
       * @example "https://updates.example.com/shop"
       */
      url: string | string[];

      /**
       * File name of the trust anchor among the native app's resources: what `farad init` wrote.
       *
       * @since 0.1.0
       * @default "farad-root.json"
       * @example "farad-root.json"
       */
      root?: string;

      /**
       * The app's id in its repository.
       *
       * @since 0.1.0
       * @default the `appId` of this configuration
       * @example "com.example.shop"
       */
      appId?: string;

      /**
       * The channel to follow.
       *
       * @since 0.1.0
       * @example "production"
       */
      channel: string;

      /**
       * Channels that `setChannel()` may choose.
       *
       * @since 0.1.0
       * @default [channel]
       * @example ["production", "beta"]
       */
      allowedChannels?: string[];

      /**
       * Whether bundles must be sealed (encrypted) for this app; for all channels, or by channel.
       *
       * @since 0.1.0
       * @default "optional"
       * @example "required"
       */
      sealed?: 'required' | 'optional' | { [channel: string]: 'required' | 'optional' };

      /**
       * File names of keys that open sealed bundles, among the native app's resources.
       *
       * @since 0.1.0
       * @default []
       * @example ["app.pem"]
       */
      openingKeys?: string[];

      /**
       * When native code syncs by itself: never; when the app starts; also when it comes back to the
       * foreground; or also every so many minutes while it is there.
       *
       * @since 0.1.0
       * @default "on-resume"
       * @example "on-resume"
       */
      autoSync?: 'off' | 'on-start' | 'on-resume' | number;

      /**
       * When a new bundle takes over, unless a call to `sync()` says otherwise.
       *
       * @since 0.1.0
       * @default "next-start"
       * @example "next-start"
       */
      apply?: Apply;

      /**
       * How long a bundle on trial has to call `ready()`, in milliseconds in the foreground.
       *
       * @since 0.1.0
       * @default 10000
       * @example 10000
       */
      readyTimeout?: number;

      /**
       * Largest bundle that is taken, unpacked, in bytes.
       *
       * @since 0.1.0
       * @default 1073741824
       * @example 268435456
       */
      maxBundleSize?: number;

      /**
       * Whether `autoSync` downloads over metered networks too. Checks are always made.
       *
       * @since 0.1.0
       * @default true
       * @example false
       */
      allowMetered?: boolean;

      /**
       * Load the new bundle at the route the old page was on, instead of the start page.
       *
       * @since 0.1.0
       * @default false
       * @example true
       */
      keepRoute?: boolean;

      /**
       * Oldest version of TLS that is spoken.
       *
       * @since 0.1.0
       * @default "1.3"
       * @example "1.3"
       */
      minTls?: '1.2' | '1.3';

      /**
       * Where devices tell what became of releases (`docs/events.md`): https, but for the machine
       * itself. Without it nothing is recorded or sent.
       *
       * @since 0.1.0
       * @example "https://updates.example.com/v1/events"
       */
      eventsUrl?: string;

      /**
       * Debug builds only: plain http to private addresses, such as a developer's own machine.
       *
       * @since 0.1.0
       * @default false
       * @example true
       */
      allowHttp?: boolean;

      /**
       * Whether Farad does anything at all.
       *
       * @since 0.1.0
       * @default true
       * @example true
       */
      enabled?: boolean;
    };
  }
}

export {};
