import { language } from '../state/settings.ts';

/** Names in braces: of `{count|head|heads} of {model}` they are count and model. */
type Names<S extends string> = S extends `${string}{${infer Inner}}${infer Rest}`
  ? (Inner extends `${infer Name}|${string}` ? Name : Inner) | Names<Rest>
  : never;

type Parameters<S extends string> = [Names<S>] extends [never]
  ? []
  : [parameters: { readonly [Name in Names<S>]: string | number }];

export type Translator<M extends Readonly<Record<string, string>>> = <K extends keyof M & string>(
  key: K,
  ...parameters: Parameters<M[K]>
) => string;

/**
 * Gives `t(key, parameters)` for the texts of one part of the page: `t('count', { heads: 3 })`. `{name}` is replaced by a parameter,
 * numbers as the language writes them; `{name|one|many}` is `one` where the number is 1. A key that Chinese lacks does not compile.
 * Reads the language's signal: what calls it in a component is drawn again in another language.
 */
export function translator<const M extends Readonly<Record<string, string>>>(
  en: M,
  zh: { readonly [K in keyof M]: string },
): Translator<M> {
  return (key, ...[parameters]) => {
    const chosen = language.value;
    const text = (chosen === 'zh' ? zh[key] : en[key])!;
    if (parameters === undefined) return text;
    const values = parameters as Readonly<Record<string, string | number>>;
    return text.replace(/\{(\w+)(?:\|([^|}]*)\|([^}]*))?\}/g, (_, name: string, one?: string, many?: string) => {
      const value = values[name] ?? '';
      if (one !== undefined) return value === 1 ? one : many!;
      return typeof value === 'number' ? value.toLocaleString(chosen) : value;
    });
  };
}
