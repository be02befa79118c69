// SPDX-License-Identifier: Apache-2.0

package lm

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/decoder"
	"github.com/openledger/openledger/poa/program"
)

// ErrContext reports a text that is longer than its session holds.
var ErrContext = errors.New("the text is longer than the context")

// ErrToken reports an id that the model does not have.
var ErrToken = errors.New("no such token in the model")

const (
	chunk = 512 // tokens of one piece of a prefill
	block = 64  // rows by which the part of the cache that is looked at grows
)

// Session is one text on its way through a model: its keys and values per layer.
type Session struct {
	m            *Model
	most, n      uint64
	keys, values []gpu.Buffer // [cap, HKV·D] per layer
	st           *stage
	whole        bool // x of st is that of the last tokens
}

// Session makes room for a text of most tokens, 0 for the model's context. Close it
// before the model. Errors: ErrContext, gpu.ErrMemory with figures.
func (m *Model) Session(most uint64) (*Session, error) {
	a := m.Net.Arch
	if most == 0 {
		most = a.Positions
	}
	if most > a.Positions {
		return nil, fmt.Errorf("%w: %d tokens, the model has room for %d", ErrContext, most, a.Positions)
	}
	s := &Session{m: m, most: most}
	n := (most + block - 1) / block * block * a.KVHeads * a.HeadDim
	for range a.Layers {
		k, err := m.dev.Alloc(fx.F32, n)
		if err == nil {
			s.keys = append(s.keys, k)
			if k, err = m.dev.Alloc(fx.F32, n); err == nil {
				s.values = append(s.values, k)
				continue
			}
		}
		return nil, errors.Join(fmt.Errorf("a cache for %d tokens takes %s: %w", most, size(8*n*a.Layers), err), s.Close())
	}
	return s, nil
}

// Len is how many tokens went in.
func (s *Session) Len() uint64 { return s.n }

// Truncate goes back to the first n tokens, if there are more. Logits then wait for
// the next token.
func (s *Session) Truncate(n uint64) {
	if n < s.n {
		s.n, s.whole = n, false
	}
}

// Close frees the cache.
func (s *Session) Close() error {
	first := s.st.close(s.m.dev)
	s.st = nil
	for _, b := range append(s.keys, s.values...) {
		if err := s.m.dev.Free(b); err != nil && first == nil {
			first = err
		}
	}
	s.keys, s.values = nil, nil
	return first
}

// Feed puts ids behind what went in, in pieces of at most 512. After an error the
// session is as before the piece that failed. Errors: ErrContext and ErrToken before
// anything is computed, those of the device. Spec: OP-03, INF-03.
func (s *Session) Feed(ids []uint32) error {
	if uint64(len(ids)) > s.most-s.n {
		return fmt.Errorf("%w: %d tokens behind %d, room for %d", ErrContext, len(ids), s.n, s.most)
	}
	for _, id := range ids {
		if uint64(id) >= s.m.Net.Arch.Vocab {
			return fmt.Errorf("%w: %d of %d", ErrToken, id, s.m.Net.Arch.Vocab)
		}
	}
	for len(ids) > 0 {
		s.whole = false
		n := min(len(ids), chunk)
		if err := s.feed(ids[:n]); err != nil {
			return err
		}
		ids, s.n, s.whole = ids[n:], s.n+uint64(n), true
	}
	return nil
}

func (s *Session) feed(ids []uint32) error {
	rows := uint64(len(ids))
	if err := s.stage(rows, (s.n+rows+block-1)/block*block); err != nil {
		return err
	}
	st, d := s.st, s.m.dev
	var words, pos, see []byte
	for i, id := range ids {
		at := uint32(s.n) + uint32(i)
		words = binary.LittleEndian.AppendUint32(words, id)
		pos, see = binary.LittleEndian.AppendUint32(pos, at), binary.LittleEndian.AppendUint32(see, at+1)
	}
	err := errors.Join(d.Upload(st.own["ids"], words), d.Upload(st.own["pos"], pos), d.Upload(st.own["see"], see))
	if err == nil {
		err = st.embed.run(s.m.held, st.own)
	}
	a := s.m.Net.Arch
	width := a.KVHeads * a.HeadDim
	for l := uint64(0); l < a.Layers && err == nil; l++ {
		view := func(name string, b gpu.Buffer, from, n uint64) {
			if err == nil {
				st.own[name], err = d.View(b, from*width, n*width)
			}
		}
		view("k_new", s.keys[l], s.n, rows)
		view("v_new", s.values[l], s.n, rows)
		view("keys", s.keys[l], 0, st.keys)
		view("values", s.values[l], 0, st.keys)
		if err == nil {
			err = st.project[l].run(s.m.held, st.own)
		}
		if err == nil {
			err = st.finish[l].run(s.m.held, st.own)
		}
	}
	return err
}

// Logits is the row of the last token that went in. Errors: those of the device,
// gpu.ErrArgs if none went in
// since the session was made or cut, or the last piece failed.
func (s *Session) Logits() ([]float32, error) {
	if !s.whole {
		return nil, fmt.Errorf("%w: no token went in last", gpu.ErrArgs)
	}
	st, a := s.st, s.m.Net.Arch
	x, err := s.m.dev.View(st.own["x"], (st.rows-1)*a.Hidden, a.Hidden)
	if err != nil {
		return nil, err
	}
	own := map[string]gpu.Buffer{"x": x, "logits": st.own["logits"]}
	if err := st.head.run(s.m.held, own); err != nil {
		return nil, err
	}
	return download(s.m.dev, st.own["logits"])
}

// download reads a buffer of f32.
func download(d gpu.Device, b gpu.Buffer) ([]float32, error) {
	raw := make([]byte, 4*b.Len())
	if err := d.Download(raw, b); err != nil {
		return nil, err
	}
	out := make([]float32, b.Len())
	for i := range out {
		out[i] = fx.FromBits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return out, nil
}

// stage is everything for pieces of one length: plans, and memory between them.
type stage struct {
	rows, keys      uint64
	embed, head     *bound
	project, finish []*bound // per layer, on one plan
	own             map[string]gpu.Buffer
	freed           []gpu.Buffer
	plans           []*gpu.Plan
}

func (st *stage) close(d gpu.Device) error {
	if st == nil {
		return nil
	}
	var first error
	for _, p := range st.plans {
		if err := p.Close(); err != nil && first == nil {
			first = err
		}
	}
	for _, b := range st.freed {
		if err := d.Free(b); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// stage makes s.st fit pieces of rows tokens that look at keys rows of the cache.
func (s *Session) stage(rows, keys uint64) error {
	if s.st != nil && s.st.rows == rows && s.st.keys == keys {
		return nil
	}
	err := s.st.close(s.m.dev)
	s.st = nil
	if err != nil {
		return err
	}
	st := &stage{rows: rows, keys: keys, own: map[string]gpu.Buffer{}}
	if err := st.make(s.m); err != nil {
		return errors.Join(fmt.Errorf("a piece of %d tokens: %w", rows, err), st.close(s.m.dev))
	}
	s.st = st
	return nil
}

func (st *stage) make(m *Model) error {
	a := m.Net.Arch
	for _, t := range []decoder.Tensor{
		{Name: "ids", Type: fx.I32, Shape: []uint64{st.rows}}, {Name: "pos", Type: fx.I32, Shape: []uint64{st.rows}},
		{Name: "see", Type: fx.I32, Shape: []uint64{st.rows}}, {Name: "x", Type: fx.F32, Shape: []uint64{st.rows, a.Hidden}},
		{Name: "q_new", Type: fx.F32, Shape: []uint64{st.rows, a.Heads * a.HeadDim}}, {Name: "logits", Type: fx.F32, Shape: []uint64{a.Vocab}},
	} {
		b, err := m.dev.Alloc(t.Type, t.Len())
		if err != nil {
			return err
		}
		st.own[t.Name], st.freed = b, append(st.freed, b)
	}
	var err error
	add := func(g program.Graph, e error) *gpu.Plan {
		var p *gpu.Plan
		if err == nil {
			err = e
		}
		if err == nil {
			if p, err = gpu.NewPlan(m.dev, g); err == nil {
				st.plans = append(st.plans, p)
			}
		}
		return p
	}
	embed, head := add(m.Net.Embed(st.rows)), add(m.Net.Head(1))
	project, finish := add(m.Net.Project(st.rows)), add(m.Net.Finish(st.rows, st.keys))
	if err != nil {
		return err
	}
	st.embed, st.head = &bound{plan: embed}, &bound{plan: head}
	for l := range a.Layers {
		st.project = append(st.project, &bound{plan: project, prefix: decoder.Layer(l)})
		st.finish = append(st.finish, &bound{plan: finish, prefix: decoder.Layer(l)})
	}
	return nil
}

// bound is a plan with the prefix of the names of its weights.
type bound struct {
	plan    *gpu.Plan
	prefix  string
	in, out []gpu.Buffer
}

// run takes each input and output from own, else the input from the weights.
func (b *bound) run(held, own map[string]gpu.Buffer) error {
	g := b.plan.Graph()
	b.in, b.out = b.in[:0], b.out[:0]
	for _, in := range g.Inputs {
		x, ok := own[in.Name]
		if !ok {
			if x, ok = held[b.prefix+in.Name]; !ok {
				x = held[in.Name] // tables
			}
		}
		b.in = append(b.in, x)
	}
	for _, out := range g.Outputs {
		b.out = append(b.out, own[out.Name])
	}
	return b.plan.Run(b.in, b.out)
}
