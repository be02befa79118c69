# SPDX-License-Identifier: Apache-2.0
"""One training step of a Llama-family decoder in PyTorch, fp32 on the CPU: the peer of
`go test ./gpu/tune -run '^$' -bench Step`. Needs torch and numpy.

    python3 docs/bench/step.py --threads 2 --hidden 256 --layers 9 --heads 8 --kv 4 --inner 768 --vocab 4096 --batch 4 --tokens 128
"""
import argparse, math, statistics, time
import torch
import torch.nn.functional as F

p = argparse.ArgumentParser()
for name, value in dict(threads=2, hidden=256, layers=9, heads=8, kv=4, inner=768, vocab=4096, batch=4, tokens=128, steps=12).items():
    p.add_argument("--" + name, type=int, default=value)
p.add_argument("--fused", action="store_true", help="the optimizer in one kernel")
a = p.parse_args()
torch.set_num_threads(a.threads)
torch.manual_seed(1)
d = a.hidden // a.heads


def weight(*shape):
    return torch.nn.Parameter(torch.randn(*shape) / math.sqrt(shape[-1]))


class Layer(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.n1, self.n2 = torch.nn.Parameter(torch.ones(a.hidden)), torch.nn.Parameter(torch.ones(a.hidden))
        self.q, self.k, self.v = weight(a.heads * d, a.hidden), weight(a.kv * d, a.hidden), weight(a.kv * d, a.hidden)
        self.o, self.gate, self.up, self.down = weight(a.hidden, a.heads * d), weight(a.inner, a.hidden), weight(a.inner, a.hidden), weight(a.hidden, a.inner)

    def forward(self, x, cos, sin):
        b, t, _ = x.shape
        h = F.rms_norm(x, (a.hidden,), self.n1, 1e-5)
        q, k, v = ((h @ w.T).view(b, t, -1, d).transpose(1, 2) for w in (self.q, self.k, self.v))
        q, k = rope(q, cos, sin), rope(k, cos, sin)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        x = x + y.transpose(1, 2).reshape(b, t, -1) @ self.o.T
        h = F.rms_norm(x, (a.hidden,), self.n2, 1e-5)
        return x + (F.silu(h @ self.gate.T) * (h @ self.up.T)) @ self.down.T


def rope(x, cos, sin):
    lo, hi = x.chunk(2, -1)
    return torch.cat((lo * cos - hi * sin, hi * cos + lo * sin), -1)


class Decoder(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.head = weight(a.vocab, a.hidden), weight(a.vocab, a.hidden)
        self.layers = torch.nn.ModuleList(Layer() for _ in range(a.layers))
        self.n = torch.nn.Parameter(torch.ones(a.hidden))
        angle = torch.outer(torch.arange(a.tokens).float(), 10000.0 ** (-torch.arange(0, d, 2).float() / d))
        self.cos, self.sin = angle.cos(), angle.sin()

    def forward(self, ids):
        x = self.embed[ids]
        for layer in self.layers:
            x = layer(x, self.cos, self.sin)
        return F.rms_norm(x, (a.hidden,), self.n, 1e-5) @ self.head.T


model = Decoder()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=a.fused or None)
times = []
for step in range(a.steps):
    ids = torch.randint(a.vocab, (a.batch, a.tokens + 1))
    start = time.perf_counter()
    loss = F.cross_entropy(model(ids[:, :-1]).reshape(-1, a.vocab), ids[:, 1:].reshape(-1))
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    times.append(time.perf_counter() - start)
n = sum(w.numel() for w in model.parameters())
print(f"{n} parameters, {a.batch}x{a.tokens} tokens, {a.threads} threads, torch {torch.__version__}: median {1e3 * statistics.median(times[2:]):.1f} ms, best {1e3 * min(times[2:]):.1f} ms, loss {loss.item():.3f}")
