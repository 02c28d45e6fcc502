const letter = /\p{L}/u;
const rightToLeft =
  /[\p{sc=Arabic}\p{sc=Hebrew}\p{sc=Syriac}\p{sc=Thaana}\p{sc=Nko}\p{sc=Samaritan}\p{sc=Mandaic}\p{sc=Adlam}]/u;

/**
 * The direction in which tokens side by side are read: that of their first letter, as `dir="auto"` has it, which is of no use for them:
 * it skips what is isolated, as every token is, and would take [CLS] for the text.
 */
export function directionOf(tokens: readonly { readonly text: string; readonly isSpecial: boolean }[]): 'ltr' | 'rtl' {
  for (const { text, isSpecial } of tokens) {
    const first = isSpecial ? undefined : letter.exec(text)?.[0];
    if (first !== undefined) return rightToLeft.test(first) ? 'rtl' : 'ltr';
  }
  return 'ltr';
}
