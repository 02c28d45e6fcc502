import en from 'zod/v4/locales/en.js';

/** Handed to `safeParse` of schemas of `zod/mini`, which a page can carry and which brings no sentences of its own. */
export const schemaMessages: { readonly error: ReturnType<typeof en>['localeError'] } = { error: en().localeError };
