// SPDX-License-Identifier: Apache-2.0

package ask

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/lm"
	"github.com/openledger/openledger/gpu/train"
	"github.com/openledger/openledger/gpu/tune"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/decoder"
)

// record is a stretch of a line: ids, and for each the one that follows.
type record struct {
	line    int
	ids     []int32
	targets []int32
	losses  []float32
}

// evaluate judges lines by their own tokens. A line that is longer than the context
// is cut into records as in training, each without what stands before it.
func (t *texts) evaluate(lines [][]byte) ([]Score, error) {
	var list []*record
	for i, l := range lines {
		ids, err := t.tokens(l)
		if err != nil {
			return nil, err
		}
		if len(ids) < 2 {
			continue
		}
		data, n, err := tune.Records(ids, t.context)
		if err != nil {
			return nil, err
		}
		for r := range n {
			row := data[r*(t.context+1):][:t.context+1]
			if end := slices.Index(row, tune.Ignored); end >= 0 {
				row = row[:end]
			}
			list = append(list, &record{line: i, ids: row[:len(row)-1], targets: row[1:]})
		}
	}
	if err := t.losses(list); err != nil {
		return nil, err
	}
	out := make([]Score, len(lines))
	sums := make([]float32, len(lines))
	for _, r := range list {
		for _, x := range r.losses {
			if !fx.Finite(x) {
				return nil, fmt.Errorf("%w: a loss of line %d", lm.ErrLogits, r.line)
			}
			sums[r.line] = fx.Add(sums[r.line], x)
		}
		out[r.line].Tokens += uint64(len(r.losses))
	}
	for i, s := range sums {
		out[i].Loss = fx.Bits(s)
	}
	return out, nil
}

// losses computes records in batches of one length each, which change no bit.
func (t *texts) losses(list []*record) error {
	lengths := map[uint64][]*record{}
	for _, r := range list {
		n := bucket(uint64(len(r.ids)), t.context)
		lengths[n] = append(lengths[n], r)
	}
	for _, n := range slices.Sorted(maps.Keys(lengths)) {
		for left := lengths[n]; len(left) > 0; {
			if t.stop() {
				return fmt.Errorf("%w in an evaluation", train.ErrStopped)
			}
			k, err := t.batch.run(n, left)
			if err != nil {
				return err
			}
			left = left[k:]
		}
	}
	return nil
}

// bucket is the length of the batch that a record of n goes with: a power of two from
// 16 on, at most the context.
func bucket(n, context uint64) uint64 {
	b := uint64(16)
	for b < n {
		b *= 2
	}
	return min(b, context)
}

// batchRows is how many rows of logits are made at once: 64 MiB of them.
func batchRows(vocab uint64) uint64 { return max(1, min(2048, (1<<24)/vocab)) }

// lossMemory is what a batch of one record takes.
func lossMemory(n decoder.Net, tokens uint64) (uint64, error) {
	g, err := n.Loss(1, tokens)
	if err != nil {
		return 0, err
	}
	return gpu.PlanMemory(g)
}

// batch is the plan of evaluations of one shape.
type batch struct {
	m            *lm.Model
	most         uint64 // rows; less where there is no memory
	seqs, tokens uint64
	plan         *gpu.Plan
	own          map[string]gpu.Buffer
}

// run evaluates the first records of a list, of at most tokens ids each, and returns
// how many. Errors: gpu.ErrMemory if not one fits, those of the device.
func (b *batch) run(tokens uint64, list []*record) (int, error) {
	for {
		seqs := min(max(1, b.most/tokens), uint64(len(list)))
		err := b.shape(seqs, tokens)
		if err == nil {
			return int(seqs), b.fill(list[:seqs])
		}
		if !errors.Is(err, gpu.ErrMemory) || seqs == 1 {
			return 0, err
		}
		b.most = seqs / 2 * tokens
	}
}

// shape makes the plan fit.
func (b *batch) shape(seqs, tokens uint64) error {
	if b.plan != nil && b.seqs == seqs && b.tokens == tokens {
		return nil
	}
	if err := b.close(); err != nil {
		return err
	}
	g, err := b.m.Net.Loss(seqs, tokens)
	if err != nil {
		return err
	}
	b.seqs, b.tokens, b.own = seqs, tokens, map[string]gpu.Buffer{}
	for _, name := range []string{"ids", "targets", "loss"} {
		typ := fx.I32
		if name == "loss" {
			typ = fx.F32
		}
		x, err := b.m.Device().Alloc(typ, seqs*tokens)
		if err != nil {
			return errors.Join(err, b.close())
		}
		b.own[name] = x
	}
	if b.plan, err = gpu.NewPlan(b.m.Device(), g); err != nil {
		return errors.Join(err, b.close())
	}
	return nil
}

// fill runs the plan on as many records as it has room for.
func (b *batch) fill(list []*record) error {
	d, n := b.m.Device(), int(b.tokens)
	ids, targets := make([]byte, 4*n*len(list)), make([]byte, 4*n*len(list))
	put := func(to []byte, at int, x int32) { binary.LittleEndian.PutUint32(to[4*at:], uint32(x)) }
	for i, r := range list {
		for k := range n {
			id, target := int32(tune.Ignored), int32(tune.Ignored)
			if k < len(r.ids) {
				id, target = r.ids[k], r.targets[k]
			}
			put(ids, i*n+k, id)
			put(targets, i*n+k, target)
		}
	}
	if err := errors.Join(d.Upload(b.own["ids"], ids), d.Upload(b.own["targets"], targets)); err != nil {
		return err
	}
	var in []gpu.Buffer
	for _, x := range b.plan.Graph().Inputs {
		buf := b.own[x.Name]
		if buf == nil {
			buf = b.m.Buffer(x.Name)
		}
		in = append(in, buf)
	}
	if err := b.plan.Run(in, []gpu.Buffer{b.own["loss"]}); err != nil {
		return err
	}
	if err := d.Download(ids, b.own["loss"]); err != nil {
		return err
	}
	for i, r := range list {
		r.losses = make([]float32, len(r.ids))
		for k := range r.losses {
			r.losses[k] = fx.FromBits(binary.LittleEndian.Uint32(ids[4*(i*n+k):]))
		}
	}
	return nil
}

func (b *batch) close() error {
	var err error
	if b.plan != nil {
		err = b.plan.Close()
	}
	for _, x := range b.own {
		err = errors.Join(err, b.m.Device().Free(x))
	}
	b.plan, b.own = nil, nil
	return err
}
