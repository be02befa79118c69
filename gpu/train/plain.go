// SPDX-License-Identifier: Apache-2.0

package train

import (
	"github.com/openledger/openledger/gpu/model"
	"github.com/openledger/openledger/internal/fx"
)

// engine computes the steps of a run. Every engine gives the same bits.
type engine interface {
	// step runs step at, the one after the last.
	step(at uint64) error
	// records returns T_j = [loss bits, red_sumsq bits of each tensor's gradient] of
	// the steps since the last call, words one after the other, valid until the next
	// step. Spec: CHK-01.
	records() ([]uint32, error)
	// state copies parameters and momentum.
	state() (*State, error)
	// close gives memory of a device back.
	close()
}

// plain computes row after row with gpu/model: the code that runs on any machine,
// and what a device is compared with.
type plain struct {
	job    Job
	net    *model.Net
	losses []float32 // of the rows of one step
	trace  []uint32
	epoch  uint64 // data epoch of order
	order  *fx.Order
}

func newPlain(j Job, s *State) *plain {
	p := &plain{job: j, net: model.NewNet(s.Params), losses: make([]float32, j.Spec.Batch)}
	p.net.SetMomentum(s.Momentum)
	return p
}

// step: row r of the batch is record perm(seed, data epoch, n, (t·B+r) mod n).
// Spec: TNS-04.
func (p *plain) step(at uint64) error {
	s, d := p.job.Spec, p.job.Data
	n := uint64(d.Rows)
	g := fx.Div(1, fx.FromInt(int32(s.Batch)))
	p.net.Begin()
	for k := range s.Batch {
		at := at*s.Batch + k
		if e := at / n; p.order == nil || e != p.epoch {
			p.epoch, p.order = e, fx.NewOrder(s.Seed, uint32(e), n)
		}
		i := int(p.order.At(at % n))
		p.losses[k] = p.net.Row(d.Row(i), d.Y[i], g)
	}
	loss := fx.Mul(fx.RedSum(p.losses), g)
	p.trace = p.net.Update(fx.FromBits(s.LR), fx.FromBits(s.L2), fx.FromBits(s.Momentum), append(p.trace, fx.Bits(loss)))
	return finite(at, loss)
}

func (p *plain) records() ([]uint32, error) {
	out := p.trace
	p.trace = p.trace[:0]
	return out, nil
}

func (p *plain) state() (*State, error) {
	return &State{Params: p.net.Weights(), Momentum: p.net.Momentum()}, nil
}

func (p *plain) close() {}
