// SPDX-License-Identifier: Apache-2.0

package decoder

import (
	"fmt"
	"math/bits"

	"github.com/openledger/openledger/poa/program"
)

// Bounds of tasks on texts.
const (
	MaxTaskTokens = 1 << 14 // of one record or context
	MaxTaskSeqs   = 4_096   // records of a step
	MaxTaskSteps  = 1 << 24
	MaxTaskCost   = 1 << 52 // multiply-adds of a whole run
	MaxTaskBytes  = 1 << 32 // weights of a task's model
)

// Learn describes training on texts as a task: from nothing, with a vocabulary that
// is learned from them, or on from a base model, whose architecture it repeats. It is
// Train without what the texts decide (Records) and what changes no bit (Micro).
// Numbers are bits of binary32. Equal descriptions over equal texts and bases give
// equal bytes. Spec: TASK-02, TNS-04, TNS-05.
type Learn struct {
	_               struct{} `cbor:",toarray"`
	Net             Net      `json:"net"`
	Seqs            uint64   `json:"seqs"`   // records of a step
	Tokens          uint64   `json:"tokens"` // of a record
	Steps           uint64   `json:"steps"`
	StepsPerSegment uint64   `json:"steps_per_segment"`
	Seed            uint64   `json:"seed"`
	Optimizer       uint64   `json:"optimizer"`
	Beta1           uint32   `json:"beta1"`
	Beta2           uint32   `json:"beta2"`
	Eps             uint32   `json:"eps"`
	Decay           uint32   `json:"decay"`
	Momentum        uint32   `json:"momentum"`
	Clip            uint32   `json:"clip"`
	Rate            uint32   `json:"rate"` // highest learning rate
	Warm            uint64   `json:"warm"` // steps in which it rises; then it falls to 0 (OP-04)
}

// Step is one step over texts of so many records.
func (l Learn) Step(records uint64) Train {
	return Train{Net: l.Net, Seqs: l.Seqs, Tokens: l.Tokens, Records: records, Steps: l.Steps, Seed: l.Seed, Optimizer: l.Optimizer,
		Beta1: l.Beta1, Beta2: l.Beta2, Eps: l.Eps, Decay: l.Decay, Momentum: l.Momentum, Clip: l.Clip, Micro: l.Seqs}
}

// Check verifies every bound. Errors: program.ErrSpec.
func (l Learn) Check() error {
	for _, f := range []struct {
		name         string
		v, min, most uint64
	}{
		{"seqs", l.Seqs, 1, MaxTaskSeqs}, {"tokens", l.Tokens, 1, MaxTaskTokens}, {"steps", l.Steps, 1, MaxTaskSteps},
		{"steps_per_segment", l.StepsPerSegment, 1, l.Steps}, {"warm", l.Warm, 0, l.Steps},
	} {
		if f.v < f.min || f.v > f.most {
			return fmt.Errorf("%w: %s %d is not in %d..%d", program.ErrSpec, f.name, f.v, f.min, f.most)
		}
	}
	if err := l.Step(1).Check(); err != nil {
		return err
	}
	switch {
	case l.Segments() > program.MaxSegments:
		return fmt.Errorf("%w: %d segments, at most %d", program.ErrSpec, l.Segments(), program.MaxSegments)
	case l.Rate == 0 || l.Rate > 0x7f7fffff:
		return fmt.Errorf("%w: rate is not a finite number above 0", program.ErrSpec)
	case l.Net.Bytes() > MaxTaskBytes:
		return fmt.Errorf("%w: weights of %d bytes, at most %d", program.ErrSpec, l.Net.Bytes(), uint64(MaxTaskBytes))
	case l.Cost() > MaxTaskCost:
		return fmt.Errorf("%w: cost %d exceeds %d multiply-adds", program.ErrSpec, l.Cost(), uint64(MaxTaskCost))
	}
	return nil
}

// Segments is ⌈Steps/StepsPerSegment⌉; the last may be shorter.
func (l Learn) Segments() uint64 { return (l.Steps + l.StepsPerSegment - 1) / l.StepsPerSegment }

// Cost estimates the multiply-adds of the run, three times those of the way there,
// saturating at 2^64 − 1.
func (l Learn) Cost() uint64 {
	c := uint64(3)
	for _, f := range [4]uint64{l.Net.PerToken(l.Tokens), l.Tokens, l.Seqs, l.Steps} {
		hi, lo := bits.Mul64(c, f)
		if hi != 0 {
			return ^uint64(0)
		}
		c = lo
	}
	return c
}

// PerToken is the multiply-adds of one token's answer behind tokens others: a product
// with every matrix, and the two of attention. Meaningful only after Check.
func (n Net) PerToken(tokens uint64) uint64 {
	a := n.Arch
	c := a.Vocab * a.Hidden
	for _, m := range Matrices() {
		d := a.dims(m)
		c += a.Layers * d[0] * d[1]
	}
	return c + 2*a.Layers*tokens*a.Heads*a.HeadDim
}

// Ask describes what a finished model says about the rows of datasets, Rows of them
// per segment, row r of all in the order of the datasets' content ids. Max = 0
// evaluates: a table's row against its label, a text's line against its own next
// tokens. Max > 0 answers: a table's row by its logits, a line by at most Max tokens
// that continue it, drawn with seed Seed + r (INF-02). What follows Rows is for texts
// and 0 for tables, but Max, which is 1 there for answers. Spec: TASK-01, INF-02.
type Ask struct {
	_           struct{} `cbor:",toarray"`
	Rows        uint64   `json:"rows"`        // per segment
	Tokens      uint64   `json:"tokens"`      // context; a longer line is cut into records (evaluate), or its answer ends (answer)
	Int8        bool     `json:"int8"`        // weights held in fx/int8
	Max         uint64   `json:"max"`         // most tokens of an answer; 0: evaluate
	Temperature uint32   `json:"temperature"` // bits of binary32, as the next
	TopP        uint32   `json:"top_p"`
	TopK        uint64   `json:"top_k"`
	Seed        uint64   `json:"seed"`
}

// Bits of binary32 values that bound sampling.
const (
	bitsOne     = 0x3f800000
	bitsHundred = 0x42c80000
)

// Check verifies every bound. Errors: program.ErrSpec.
func (a Ask) Check() error {
	for _, f := range []struct {
		name         string
		v, min, most uint64
	}{
		{"rows", a.Rows, 1, program.MaxRows}, {"tokens", a.Tokens, 0, MaxTaskTokens}, {"max", a.Max, 0, MaxTaskTokens},
		{"temperature", uint64(a.Temperature), 0, bitsHundred}, {"top_p", uint64(a.TopP), 0, bitsOne}, {"top_k", a.TopK, 0, 1 << 20},
	} {
		if f.v < f.min || f.v > f.most {
			return fmt.Errorf("%w: %s %d is not in %d..%d", program.ErrSpec, f.name, f.v, f.min, f.most)
		}
	}
	sampled := a.Temperature != 0 || a.TopP != 0 || a.TopK != 0 || a.Seed != 0
	switch {
	case a.Tokens == 0 && (a.Int8 || a.Max > 1 || sampled):
		return fmt.Errorf("%w: a table's answer is one row of logits: no context, int8, sampling or more than one", program.ErrSpec)
	case a.Max == 0 && sampled:
		return fmt.Errorf("%w: an evaluation draws nothing", program.ErrSpec)
	}
	return nil
}

// Text reports whether it is about texts.
func (a Ask) Text() bool { return a.Tokens > 0 }

// Segments is how many segments rows make: ⌈rows/Rows⌉. Meaningful only after Check.
func (a Ask) Segments(rows uint64) uint64 { return (rows + a.Rows - 1) / a.Rows }
