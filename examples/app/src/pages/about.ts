import type { Page } from '../page';

const page: Page = {
  html: () => `
    <h1>About</h1>
    <p>Corner Shop is the sample app of Farad: small, but built as real apps are, with a bundler,
    chunks that are loaded when they are needed, styles and images.</p>`,
};

export default page;
