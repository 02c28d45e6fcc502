"""The recipes sst2-minilm, mrpc-minilm and cola-minilm in PyTorch: the same model, data, steps and rates.

    python bench/finetune.py cola --model FOLDER --data FOLDER [--steps N] [--epochs N] [--peak 5e-5]

prints the validation metric after each epoch, the best one, and the seconds that the steps took. Needs torch, transformers, scikit-learn.
"""

import argparse
import csv
import random
import time

import torch
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef
from torch.optim.lr_scheduler import LambdaLR
from transformers import AutoModelForSequenceClassification, AutoTokenizer


def rows(path):
    with open(path, encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def sst2(folder):
    def part(name):
        return [((line[1],), int(line[0])) for line in rows(f"{folder}/{name}.tsv")[1:]]

    return part("train"), part("dev")


def mrpc(folder):
    def part(name):
        return [((line[3], line[4]), int(line[0])) for line in rows(f"{folder}/msr_paraphrase_{name}.txt")[1:]]

    return part("train"), part("test")


def cola(folder):
    def part(name):
        return [((line[3],), int(line[1])) for line in rows(f"{folder}/{name}.tsv")]

    return part("in_domain_train"), part("in_domain_dev")


# data, batch, epochs, peak, warmup, tokens at most, metric
TASKS = {
    "sst2": (sst2, 32, 1, 1e-4, 300, 64, accuracy_score),
    "mrpc": (mrpc, 16, 5, 1e-4, 100, 128, f1_score),
    "cola": (cola, 32, 5, 5e-5, 130, 64, matthews_corrcoef),
}


def batches(lengths, size, rng):
    """Batches of similar length, in random order."""
    order = rng.sample(range(len(lengths)), len(lengths))
    order.sort(key=lambda i: lengths[i])
    parts = [order[i : i + size] for i in range(0, len(order), size)]
    rng.shuffle(parts)
    return parts


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--steps", type=int, help="stop after so many, for a time")
    parser.add_argument("--peak", type=float)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    load, size, epochs, peak, warmup, longest, metric = TASKS[args.task]
    epochs, peak = args.epochs or epochs, args.peak or peak
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    rng = random.Random(args.seed)

    tokenizer = AutoTokenizer.from_pretrained(args.model)
    model = AutoModelForSequenceClassification.from_pretrained(args.model, num_labels=2)

    def encode(part):
        texts = [tokenizer(*text, truncation=True, max_length=longest) for text, _ in part]
        return texts, [label for _, label in part]

    (train, labels), (held, held_labels) = map(encode, load(args.data))
    steps = epochs * -(-len(train) // size)
    plain = [p for n, p in model.named_parameters() if p.ndim < 2]
    matrices = [p for n, p in model.named_parameters() if p.ndim >= 2]
    groups = [{"params": matrices, "weight_decay": 0.01}, {"params": plain, "weight_decay": 0}]
    optimizer = torch.optim.AdamW(groups, lr=peak, betas=(0.9, 0.999), eps=1e-8, foreach=True)
    schedule = LambdaLR(optimizer, lambda s: min((s + 1) / warmup, max(0.0, (steps - s) / (steps - warmup))))

    def collate(texts, part):
        return tokenizer.pad([texts[i] for i in part], return_tensors="pt", pad_to_multiple_of=8)

    @torch.no_grad()
    def validate():
        model.eval()
        guesses = [0] * len(held)
        order = sorted(range(len(held)), key=lambda i: len(held[i]["input_ids"]))
        for i in range(0, len(order), 32):
            part = order[i : i + 32]
            for index, guess in zip(part, model(**collate(held, part)).logits.argmax(-1).tolist()):
                guesses[index] = guess
        model.train()
        return metric(held_labels, guesses)

    model.train()
    seconds, done, best = 0.0, 0, -1.0
    lengths = [len(text["input_ids"]) for text in train]
    for epoch in range(epochs):
        for part in batches(lengths, size, rng):
            began = time.perf_counter()
            loss = model(**collate(train, part), labels=torch.tensor([labels[i] for i in part])).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            seconds += time.perf_counter() - began
            done += 1
            if done == args.steps:
                print(f"{done} steps in {seconds:.1f} s")
                return
        score = validate()
        best = max(best, score)
        print(f"epoch {epoch + 1}: {score:.4f}, best {best:.4f}, {done} steps in {seconds:.0f} s", flush=True)


main()
