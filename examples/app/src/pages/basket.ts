import { basket } from '../basket';
import { escape, render, type Page } from '../page';
import { money } from '../products';

const page: Page = {
  html() {
    const lines = basket.lines();
    if (lines.length === 0) return '<h1>Basket</h1><p>Nothing in it yet.</p>';
    const rows = lines.map(
      ({ product, amount }) =>
        `<tr><td>${amount} ×</td><td>${escape(product.name)}</td><td>${money(amount * product.price)}</td></tr>`,
    );
    return `<h1>Basket</h1><table>${rows.join('')}
      <tr><td></td><td>Total</td><td>${money(basket.total())}</td></tr></table>
      <button id="clear">Empty it</button>`;
  },
  mounted(root) {
    root.querySelector('#clear')?.addEventListener('click', () => {
      basket.clear();
      render(page, root);
    });
  },
};

export default page;
