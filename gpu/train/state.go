// SPDX-License-Identifier: Apache-2.0

package train

import (
	"encoding/binary"
	"fmt"

	"github.com/openledger/openledger/gpu/model"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/merkle"
	"github.com/openledger/openledger/poa/checkpoint"
	"github.com/openledger/openledger/poa/program"
)

// State is what a segment starts from and ends in. Step counts the steps done.
type State struct {
	Step     uint64
	Params   *model.Weights
	Momentum *model.Weights // the same shapes as Params
}

// Start returns the state before the first step: seeded parameters, momentum
// +0. spec must have passed Check.
func Start(spec program.Train) *State {
	arch := model.ArchOf(spec)
	return &State{Params: model.Init(arch, spec.Seed), Momentum: model.New(arch)}
}

// Root is the root over the state's tensors in name order: "momentum/…",
// "param/…" and "step", a u64 without dimensions. Spec: CHK-01, TNS-01.
func (s *State) Root() [32]byte {
	var leaves [][]byte
	for _, g := range []struct {
		prefix string
		w      *model.Weights
	}{{"momentum/", s.Momentum}, {"param/", s.Params}} {
		for _, t := range g.w.Tensors {
			t.Name = g.prefix + t.Name
			leaves = append(leaves, t.Leaf())
		}
	}
	step := binary.LittleEndian.AppendUint64(nil, s.Step)
	return merkle.Root(append(leaves, model.LeafOf("step", "u64", nil, step)))
}

// Check verifies that every number is finite. Errors: model.ErrNotFinite.
func (s *State) Check() error {
	if err := s.Params.Check(); err != nil {
		return err
	}
	if err := s.Momentum.Check(); err != nil {
		return fmt.Errorf("momentum: %w", err)
	}
	return nil
}

type stateWire struct {
	_        struct{} `cbor:",toarray"`
	Step     uint64
	Params   [][]byte // little-endian bytes of each tensor in name order
	Momentum [][]byte
}

func (s *State) wire() stateWire {
	w := stateWire{Step: s.Step}
	for i := range s.Params.Tensors {
		w.Params = append(w.Params, fx.AppendBits(nil, s.Params.Tensors[i].Data))
		w.Momentum = append(w.Momentum, fx.AppendBits(nil, s.Momentum.Tensors[i].Data))
	}
	return w
}

func (w stateWire) state(arch model.Arch) (*State, error) {
	s := &State{Step: w.Step, Params: model.New(arch), Momentum: model.New(arch)}
	for _, g := range []struct {
		dst *model.Weights
		src [][]byte
	}{{s.Params, w.Params}, {s.Momentum, w.Momentum}} {
		if len(g.src) != len(g.dst.Tensors) {
			return nil, fmt.Errorf("%w: %d tensors, want %d", ErrSaved, len(g.src), len(g.dst.Tensors))
		}
		for i, t := range g.dst.Tensors {
			if err := model.DecodeData(t.Data, g.src[i]); err != nil {
				return nil, fmt.Errorf("%w: tensor %s: %w", ErrSaved, t.Name, err)
			}
		}
	}
	return s, nil
}

// Encode returns the state as bytes that DecodeState reads, about 8 bytes per
// parameter.
func (s *State) Encode() []byte { return enc.Encode(s.wire()) }

// DecodeState reads Encode for a model of the given architecture, which must
// have passed Check. Errors: ErrSaved.
func DecodeState(arch model.Arch, data []byte) (*State, error) {
	var w stateWire
	if err := enc.Decode(data, &w); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSaved, err)
	}
	return w.state(arch)
}

const savedVersion = "openledger/train-state/1"

// saved is the content of a saved state file.
type saved struct {
	_       struct{} `cbor:",toarray"`
	Version string
	Bind    [32]byte
	State   stateWire
	Leaves  []checkpoint.Leaf
}

// bind names the job: task, operator, spec and data.
func (j Job) bind() [32]byte {
	return keys.Sum(keys.DomainProgram, j.Task, j.Operator, j.Spec, j.Data.Digest())
}

func encodeSaved(bind [32]byte, s *State, leaves []checkpoint.Leaf) []byte {
	return enc.Encode(saved{Version: savedVersion, Bind: bind, State: s.wire(), Leaves: leaves})
}

func decodeSaved(j Job, data []byte) (*State, *checkpoint.Builder, error) {
	var f saved
	if err := enc.Decode(data, &f); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrSaved, err)
	}
	switch {
	case f.Version != savedVersion:
		return nil, nil, fmt.Errorf("%w: version %.40q is not %q", ErrSaved, f.Version, savedVersion)
	case f.Bind != j.bind():
		return nil, nil, fmt.Errorf("%w: it belongs to another task, operator, spec or data", ErrSaved)
	case len(f.Leaves) == 0 || uint64(len(f.Leaves)) > j.Spec.Segments || f.State.Step != uint64(len(f.Leaves))*j.Spec.StepsPerSegment:
		return nil, nil, fmt.Errorf("%w: step %d after %d segments", ErrSaved, f.State.Step, len(f.Leaves))
	}
	s, err := f.State.state(model.ArchOf(j.Spec))
	if err != nil {
		return nil, nil, err
	}
	b, err := checkpoint.ResumeBuilder(j.Task, j.Operator, f.Leaves, s.Root())
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrSaved, err)
	}
	return s, b, nil
}
