import './style.css';
import { basket } from './basket';
import { render, type Page } from './page';

/** Pages by route; each is a chunk of its own, fetched when it is first shown. */
const pages: Record<string, () => Promise<{ default: Page }>> = {
  '/': () => import('./pages/home'),
  '/products': () => import('./pages/products'),
  '/basket': () => import('./pages/basket'),
  '/about': () => import('./pages/about'),
};

async function show(): Promise<void> {
  const route = location.hash.slice(1) || '/';
  const load = pages[route] ?? pages['/'];
  const target = document.querySelector<HTMLElement>('#page');
  if (!load || !target) return;
  const { default: page } = await load();
  render(page, target);
}

// A release that is broken on purpose: it never gets as far as saying that it is ready.
if (import.meta.env.VITE_BROKEN) {
  throw new Error('this release is broken on purpose');
}

basket.onChange((count) => {
  const output = document.querySelector('#count');
  if (output) output.textContent = String(count);
});
addEventListener('hashchange', () => void show());
await show();
