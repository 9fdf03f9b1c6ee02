/** A page: its markup, and what to do once it stands in the document. */
export interface Page {
  html(): string;
  mounted?(root: HTMLElement): void;
}

export function render(page: Page, target: HTMLElement): void {
  target.innerHTML = page.html();
  page.mounted?.(target);
}

/** Text for the inside of an element or attribute. */
export function escape(text: string): string {
  const names: Record<string, string> = { '&': 'amp', '<': 'lt', '>': 'gt', '"': 'quot' };
  return text.replace(/[&<>"]/g, (character) => `&${names[character]};`);
}
