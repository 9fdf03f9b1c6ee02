import type { Page } from '../page';
import { escape } from '../page';

const version = (import.meta.env.VITE_APP_VERSION as string | undefined) ?? 'development';

const page: Page = {
  html: () => `
    <section class="hero">
      <img src="./images/shop.png" alt="" width="320" height="200" />
      <h1>Good things from around the corner</h1>
      <p>Order before nine, eat at noon.</p>
      <a class="button" href="#/products">See what is fresh</a>
    </section>
    <footer>Version <b id="version">${escape(version)}</b></footer>`,
};

export default page;
