import { products, type Product } from './products';

type Listener = (count: number) => void;

const saved = (): [string, number][] =>
  JSON.parse(localStorage.getItem('basket') ?? '[]') as [string, number][];

/** What the customer wants to buy; survives a reload. */
class Basket {
  private amounts = new Map(saved());
  private listeners: Listener[] = [];

  add(id: string): void {
    this.amounts.set(id, (this.amounts.get(id) ?? 0) + 1);
    this.changed();
  }

  clear(): void {
    this.amounts.clear();
    this.changed();
  }

  lines(): { product: Product; amount: number }[] {
    return products.flatMap((product) => {
      const amount = this.amounts.get(product.id);
      return amount ? [{ product, amount }] : [];
    });
  }

  /** Cents. */
  total(): number {
    return this.lines().reduce((sum, { product, amount }) => sum + product.price * amount, 0);
  }

  onChange(listener: Listener): void {
    this.listeners.push(listener);
    listener(this.count());
  }

  private count(): number {
    return [...this.amounts.values()].reduce((sum, amount) => sum + amount, 0);
  }

  private changed(): void {
    localStorage.setItem('basket', JSON.stringify([...this.amounts]));
    for (const listener of this.listeners) listener(this.count());
  }
}

export const basket = new Basket();
