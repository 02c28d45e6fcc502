import { z } from 'zod';

/** A key that may be left out; its description ends with its default. */
export function optional<T extends z.ZodType>(schema: T, value: NoInfer<z.output<T>>, text: string): z.ZodDefault<T> {
  const shown = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return schema.default(value as z.util.NoUndefined<z.output<T>>).describe(`${text} Default: ${shown}.`);
}

export const count: z.ZodInt = z.int().min(1);
export const fraction: z.ZodNumber = z.number().min(0).lt(1);
export const positive: z.ZodNumber = z.number().gt(0);

export function path(what: string): z.ZodString {
  return z
    .string()
    .min(1)
    .describe(`${what} A relative path starts at the recipe's folder, one given by --set at the working folder.`);
}
