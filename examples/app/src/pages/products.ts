import { basket } from '../basket';
import { escape, type Page } from '../page';
import { money, products } from '../products';

const page: Page = {
  html: () => `
    <h1>Products</h1>
    <ul class="grid">${products
      .map(
        (product) => `
      <li>
        <img src="./images/${product.image}.png" alt="" width="96" height="96" />
        <h2>${escape(product.name)}</h2>
        <p>${escape(product.text)}</p>
        <button data-add="${product.id}">${money(product.price)}</button>
      </li>`,
      )
      .join('')}
    </ul>`,
  mounted(root) {
    for (const button of root.querySelectorAll<HTMLButtonElement>('[data-add]')) {
      button.addEventListener('click', () => basket.add(button.dataset.add ?? ''));
    }
  },
};

export default page;
