// SPDX-License-Identifier: Apache-2.0

package accuse

import (
	"bytes"
	"errors"
	"fmt"
	"sort"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/evidence"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/valset"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/ledger/exec"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/node/chain"
	"github.com/openledger/openledger/node/store"
)

// Errors of Fork.
var (
	// ErrUnrelated: the ledgers share no block.
	ErrUnrelated = errors.New("the two ledgers have no block in common")
	// ErrSet: no set of the fork's epoch is at hand.
	ErrSet = errors.New("the validator set of the fork is not at hand")
	// ErrRecords: the chains conflict, but the ledgers hold too little to say who
	// is guilty.
	ErrRecords = errors.New("the ledgers hold too little to name the guilty")
)

// maxBranch bounds how many blocks one Finalization is believed to cover.
const maxBranch = 4_096

// Records is what Fork reads of a ledger; store.Reader has it.
type Records interface {
	Head() store.Head
	Oldest() uint64 // the header below that height is there too
	HeaderCert(height uint64) ([]byte, error)
	Justification(height uint64) ([]byte, error)
}

// Verdict is the outcome of Fork.
type Verdict struct {
	Forked   bool
	Height   uint64         // first height at which the chains differ; without a fork the last that both have
	Blocks   [2]header.Hash // at Height
	Set      *valset.Set    // of the epoch; nil without a fork
	Evidence []evidence.Evidence
	Guilty   []evidence.Offence // in set order
	Power    uint64             // of the guilty; above Set.Faulty()
}

// Fork compares two ledgers. If they conflict it names validators of power above
// f, each by evidence that anybody can check, in a verdict; sets are candidates
// for the validator set of the epoch, of which the one is taken that the last
// common block names. The ledgers are not changed. With an error the verdict
// holds what was found so far. Errors: ErrUnrelated, ErrSet, ErrRecords,
// store.ErrCorrupt.
func Fork(a, b Records, sets []*valset.Set) (Verdict, error) {
	v := Verdict{Height: min(a.Head().Height, b.Head().Height)}
	low := max(a.Oldest(), b.Oldest(), 1) - 1
	if v.Height < low {
		return v, ErrUnrelated
	}
	var fault error
	differ := func(height uint64) bool {
		ha, _, _, err1 := read(a, height)
		hb, _, _, err2 := read(b, height)
		if err := errors.Join(err1, err2); err != nil {
			fault = errors.Join(fault, err)
			return false
		}
		return ha.Hash() != hb.Hash()
	}
	// Where chains differ they differ from there on.
	n := sort.Search(int(v.Height-low)+1, func(i int) bool { return differ(low + uint64(i)) })
	switch {
	case fault != nil:
		return v, fault
	case n == 0:
		return v, ErrUnrelated
	case low+uint64(n) > v.Height:
		return v, nil
	}
	v.Forked, v.Height = true, low+uint64(n)
	return v, v.name(a, b, sets)
}

func read(r Records, height uint64) (*header.Header, *cert.Certificate, []header.Header, error) {
	b, err := r.HeaderCert(height)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("height %d: %w", height, err)
	}
	return chain.DecodeHeaderCert(b)
}

// name fills in who is guilty of the fork at v.Height.
func (v *Verdict) name(a, b Records, sets []*valset.Set) error {
	common, _, _, err := read(a, v.Height-1)
	if err != nil {
		return err
	}
	for _, s := range sets {
		if of(common, s) {
			v.Set = s
		}
	}
	var sides [2]evidence.Branch
	for i, r := range []Records{a, b} {
		if sides[i], err = branch(r, v.Height); err != nil {
			return fmt.Errorf("ledger %d: %w", i+1, err)
		}
		v.Blocks[i] = sides[i].Blocks[0].Header.Hash()
	}
	if v.Set == nil {
		return fmt.Errorf("%w: epoch %d", ErrSet, sides[0].Blocks[0].Header.Epoch)
	}
	if v.Evidence, err = evidence.Fork(v.Set, common.ChainID, sides[0], sides[1]); err != nil {
		return fmt.Errorf("%w: %w", ErrRecords, err)
	}
	for i := range v.Evidence {
		list, err := evidence.Check(v.Set, common.ChainID, &v.Evidence[i])
		if err != nil {
			return fmt.Errorf("%w: %w", ErrRecords, err)
		}
		for _, o := range list {
			v.Power += v.Set.Power(o.Index)
		}
		v.Guilty = append(v.Guilty, list...)
	}
	return nil
}

// of reports whether s decides the block after h.
func of(h *header.Header, s *valset.Set) bool {
	hash := s.Hash()
	if h.Kind == header.KindSeal {
		return s.Epoch() == h.Epoch+1 && bytes.Equal(hash[:], h.NextSet)
	}
	return s.Epoch() == h.Epoch && hash == h.SetHash
}

// branch reads the blocks from a height up to the first that has a Finalization
// of its own, or that a lower one's is of.
func branch(r Records, from uint64) (evidence.Branch, error) {
	var out evidence.Branch
	var fins []*cert.Certificate
	for h := from; h <= r.Head().Height && h < from+maxBranch; h++ {
		hd, fin, carriers, err := read(r, h)
		if err != nil {
			return out, err
		}
		var leaves [][]byte
		raw, err := r.Justification(h)
		if err == nil {
			err = enc.Decode(raw, &leaves)
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return out, fmt.Errorf("%w: justification of height %d: %w", store.ErrCorrupt, h, err)
		}
		list, ok := chain.Justifications(hd, carriers, leaves)
		if !ok { // evidence.Fork looks whether it can do without
			list = make([][][]byte, 1+len(carriers))
		}
		out.Blocks = append(out.Blocks, evidence.Block{Header: *hd, Leaves: list[0]})
		for i := range carriers { // a seal is final by the last of them
			out.Blocks = append(out.Blocks, evidence.Block{Header: carriers[i], Leaves: list[1+i]})
		}
		fins = append(fins, fin)
		hash := out.Blocks[len(out.Blocks)-1].Header.Hash()
		for _, f := range fins {
			if f != nil && f.Hash() == hash {
				out.Finalization = f
				return out, nil
			}
		}
		if hd.Kind == header.KindSeal {
			break
		}
	}
	return out, fmt.Errorf("%w: no Finalization at height %d or above", ErrRecords, from)
}

// Sets lists the validator sets that the state at a ledger's head keeps: of the
// running epoch and of those that ended within the unbonding time.
func Sets(r *store.Reader) ([]*valset.Set, error) {
	v, err := r.View(r.Head().Height)
	if err != nil {
		return nil, err
	}
	now, err := exec.CurrentSet(v)
	if err != nil {
		return nil, err
	}
	out := []*valset.Set{now}
	for e := now.Epoch(); e > 0; e-- {
		c, err := exec.Court(v, [32]byte{}, e-1)
		if errors.Is(err, state.ErrUnknown) {
			break
		}
		if err != nil {
			return nil, err
		}
		out = append(out, c.Set)
	}
	return out, nil
}
