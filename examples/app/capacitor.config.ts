/// <reference types="@farad/capacitor" />

import type { CapacitorConfig } from '@capacitor/cli';

const config: CapacitorConfig = {
  appId: 'com.example.cornershop',
  appName: 'Corner Shop',
  webDir: 'dist',
  plugins: {
    Farad: {
      url: 'https://updates.example.com/cornershop',
      channel: 'production',
      allowedChannels: ['production', 'beta'],
      apply: 'next-start',
    },
  },
};

export default config;
