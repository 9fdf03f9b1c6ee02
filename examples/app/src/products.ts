export interface Product {
  id: string;
  name: string;
  /** Cents. */
  price: number;
  image: string;
  text: string;
}

export const products: Product[] = [
  {
    id: 'apple',
    name: 'Apples',
    price: 290,
    image: 'apple',
    text: 'A kilo of this week’s harvest.',
  },
  {
    id: 'bread',
    name: 'Rye bread',
    price: 420,
    image: 'bread',
    text: 'Baked at four in the morning.',
  },
  {
    id: 'cheese',
    name: 'Mountain cheese',
    price: 690,
    image: 'cheese',
    text: 'Nine months old, 250 g.',
  },
  {
    id: 'honey',
    name: 'Honey',
    price: 850,
    image: 'honey',
    text: 'From the roof of the town hall.',
  },
];

export const money = (cents: number): string =>
  new Intl.NumberFormat('en', { style: 'currency', currency: 'EUR' }).format(cents / 100);
