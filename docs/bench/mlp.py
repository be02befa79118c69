# SPDX-License-Identifier: Apache-2.0
"""mlp/1 with its defaults in PyTorch, fp32 on the CPU: the peer of `go test ./gpu/train -run '^$' -bench Run`.
Prints nanoseconds per row of one run after another that warms up. Needs torch.

    mlp.py THREADS HIDDEN [--fused]     64 features of 0 to 16, 10 classes, 1,197 rows, batches of 32, momentum 0.9, L2 0.0001
"""
import sys, time
import torch
import torch.nn.functional as F

ROWS, BATCH = 1197, 32
threads, hidden = int(sys.argv[1]), int(sys.argv[2])
steps = 100 if hidden > 32 else (ROWS * 30 + BATCH - 1) // BATCH
torch.set_num_threads(threads)
torch.manual_seed(1)
x, y = torch.randint(17, (ROWS, 64)).float() / 16, torch.randint(10, (ROWS,))
model = torch.nn.Sequential(torch.nn.Linear(64, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, 10))
weights = [p for p in model.parameters() if p.dim() > 1]
biases = [p for p in model.parameters() if p.dim() == 1]
optimizer = torch.optim.SGD([dict(params=weights, weight_decay=1e-4), dict(params=biases)], lr=0.1, momentum=0.9, fused="--fused" in sys.argv or None)


def run():
    start, order, at = time.perf_counter(), torch.randperm(ROWS), 0
    for _ in range(steps):
        if at + BATCH > ROWS:
            order, at = torch.randperm(ROWS), 0
        rows = order[at:at + BATCH]
        at += BATCH
        loss = F.cross_entropy(model(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    loss.item()
    return time.perf_counter() - start


run()
print(1e9 * min(run() for _ in range(3)) / steps / BATCH)
