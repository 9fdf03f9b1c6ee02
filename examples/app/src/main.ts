import './style.css';
import { basket } from './basket';
import { render, type Page } from './page';
import { updates } from './updates';

/** Pages by route; each is a chunk of its own, fetched when it is first shown. */
const pages: Record<string, () => Promise<{ default: Page }>> = {
  '/': () => import('./pages/home'),
  '/products': () => import('./pages/products'),
  '/basket': () => import('./pages/basket'),
  '/updates': () => import('./pages/updates'),
  '/about': () => import('./pages/about'),
};

/** How this build is broken on purpose, if it is: the switch is set when it is built. */
const broken = import.meta.env.VITE_BROKEN as 'throws' | 'silent' | 'reports' | '' | undefined;

async function show(): Promise<void> {
  const route = location.hash.slice(1) || '/';
  const load = pages[route] ?? pages['/'];
  const target = document.querySelector<HTMLElement>('#page');
  if (!load || !target) return;
  const { default: page } = await load();
  render(page, target);
}

if (broken === 'throws') {
  throw new Error('this release is broken on purpose');
}

basket.onChange((count) => {
  const output = document.querySelector('#count');
  if (output) output.textContent = String(count);
});
addEventListener('hashchange', () => void show());
await updates.begin();
await show();

// Only now: a release that cannot draw its page must not get this far.
if (broken === 'reports') {
  await updates.report();
} else if (broken !== 'silent') {
  await updates.ready();
}
