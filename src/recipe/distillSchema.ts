import { z } from 'zod';
import { count, optional, positive } from './schemaParts.ts';

/** What a student learns from a teacher, beside its task. */
export interface DistillRecipe {
  teacher: string;
  temperature: number;
  labels: number;
  soft: number;
  hard: number;
  hidden: number;
  embeddings: number;
  layers: number[] | null;
}

const weight = (value: number, text: string) =>
  optional(z.number().min(0), value, `Weight of ${text}; 0: not computed.`);

export const distill: z.ZodDefault<z.ZodType<DistillRecipe | null, unknown>> = optional(
  z
    .strictObject({
      teacher: z
        .string()
        .min(1)
        .describe(
          "Its folder (a relative path starts at the recipe's folder, one given by --set at the working folder), or org/name[@revision] of the Hugging Face hub. It has the same tokenizer and head; its weights stay as they are.",
        ),
      temperature: optional(positive, 2, 'Divides the logits of both before the soft targets are made of them.'),
      labels: optional(z.number().min(0), 2, "Weight of the task's own loss; 0: only the teacher is followed."),
      soft: weight(5, "the teacher's probabilities, T^2 KL(teacher, student) (arXiv:1503.02531)"),
      hard: weight(0, "cross-entropy with the teacher's likeliest class (arXiv:2012.12877)"),
      hidden: weight(1, '1 - cos of the hidden states at the layers (arXiv:1910.01108)'),
      embeddings: weight(0, 'the squared distance of the embeddings, a mean over the width (arXiv:1909.10351)'),
      layers: optional(
        z.array(z.int().min(0)).min(1).nullable(),
        null,
        "For each layer of the student, from the first, the teacher's layer that `hidden` compares it with; the first is 0; null: the last with the last.",
      ),
    })
    .refine(({ soft, hard, hidden, embeddings }) => soft + hard + hidden + embeddings > 0, {
      path: ['soft'],
      error: 'a weight above 0 of soft, hard, hidden or embeddings: otherwise nothing is learned from the teacher',
    })
    .nullable(),
  null,
  "A teacher whose answers are learned as well as the labels; its weights default to DistilBERT's. null: none.",
);

/** Of a model that exists: which of its layers a student begins with. */
export const keptLayers: z.ZodDefault<z.ZodType<number | number[] | null, unknown>> = optional(
  z.union([count, z.array(z.int().min(0)).min(1)]).nullable(),
  null,
  'Layers that are kept, the first is 0, such as [0, 2, 4], or how many, evenly spaced: a student of that model; null: all.',
);
