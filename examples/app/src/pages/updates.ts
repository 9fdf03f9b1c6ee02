import { escape, type Page } from '../page';
import { updates, type Shown } from '../updates';

function name({ current }: Shown): string {
  if (!current) return '';
  if (current.sequence === null) return 'built in';
  const where = current.id === 'builtin' ? ', built in' : '';
  return `${current.version ?? ''} (release ${current.sequence} of ${current.channel ?? ''}${where})`;
}

const page: Page = {
  html: () => `
    <h1>Updates</h1>
    <p>Running: <b id="bundle"></b></p>
    <p id="given-up" class="warning" hidden></p>
    <p>
      <button id="check">Check</button>
      <button id="update">Update at the next start</button>
      <button id="update-now">Update now</button>
      <button id="apply">Apply what waits</button>
      <button id="report">This version is broken</button>
    </p>
    <progress id="progress" max="1" value="0" hidden></progress>
    <p id="status" role="status"></p>`,
  mounted(root) {
    const on = (id: string, work: () => Promise<void>): void => {
      root.querySelector(`#${id}`)?.addEventListener('click', () => void work());
    };
    on('check', () => updates.check());
    on('update', () => updates.update({ apply: 'next-start' }));
    on('update-now', () => updates.update({ apply: 'now' }));
    on('apply', () => updates.apply());
    on('report', () => updates.report());
    updates.onChange((shown) => {
      const set = (id: string, html: string): void => {
        const element = root.querySelector<HTMLElement>(`#${id}`);
        if (element) element.innerHTML = html;
      };
      set('bundle', escape(name(shown)));
      set('status', escape(shown.status));
      const progress = root.querySelector<HTMLProgressElement>('#progress');
      if (progress) {
        progress.hidden = shown.progress === null;
        progress.value = shown.progress ?? 0;
      }
      const givenUp = root.querySelector<HTMLElement>('#given-up');
      if (givenUp && shown.givenUp) {
        const { bundle, reason } = shown.givenUp;
        givenUp.hidden = false;
        givenUp.textContent = `Version ${bundle.version ?? bundle.id} was given up: ${reason}`;
      }
    });
  },
};

export default page;
