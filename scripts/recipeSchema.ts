// Writes recipes/recipe.schema.json, the JSON Schema that editors check recipes with: npm run schema, which formats it too
import { writeFileSync } from 'node:fs';
import { recipeJsonSchema } from '../src/recipe/recipeSchema.ts';

const file = new URL('../recipes/recipe.schema.json', import.meta.url);
writeFileSync(file, `${JSON.stringify(recipeJsonSchema(), null, 2)}\n`);
