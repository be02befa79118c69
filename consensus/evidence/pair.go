// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"bytes"
	"fmt"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/msg"
	"github.com/openledger/openledger/consensus/valset"
)

// excludes tells of which kind two votes of one validator in one view are
// together, and whether they stand in the order of Conflict; 0 if both may
// stand.
func excludes(a, b *Half) (kind Kind, ordered bool) {
	same := bytes.Equal(a.Block, b.Block)
	switch {
	case a.Kind == b.Kind && (same || a.Kind == cert.Nullify):
		return 0, false
	case a.Kind == b.Kind:
		kind = [...]Kind{cert.Proposal: DoublePropose, cert.Notarize: DoubleNotarize, cert.Finalize: DoubleFinalize}[a.Kind]
		return kind, bytes.Compare(a.Block, b.Block) < 0
	case a.Kind == cert.Nullify && b.Kind == cert.Finalize:
		return NullifyFinalize, true
	case a.Kind == cert.Notarize && b.Kind == cert.Finalize && !same:
		return NotarizeFinalize, true
	case a.Kind == cert.Finalize && b.Kind < cert.Finalize:
		kind, _ = excludes(b, a)
		return kind, false
	}
	return 0, false
}

// conflict makes the evidence against everybody in who, signers of both halves,
// in as many pieces as MaxBytes demands; none if the halves do not exclude each
// other.
func conflict(epoch, view uint64, a, b *Half, who []int) []Evidence {
	kind, ordered := excludes(a, b)
	if kind == 0 {
		return nil
	}
	if !ordered {
		a, b = b, a
	}
	return split(who, func(part []int) Evidence {
		return Evidence{Conflict: &Conflict{Kind: kind, Epoch: epoch, View: view, A: a.cut(part), B: b.cut(part)}}
	})
}

// split makes evidence against everybody in who: one piece if that is at most
// MaxBytes, which it is up to 254 signers of two lists, else more of equal size.
// A piece against one signer always fits, but for what was never valid.
func split(who []int, piece func([]int) Evidence) []Evidence {
	if len(who) == 0 {
		return nil
	}
	if e := piece(who); len(e.Encode()) <= MaxBytes {
		return []Evidence{e}
	} else if len(who) == 1 {
		return nil
	}
	m := len(who) / 2
	return append(split(who[:m], piece), split(who[m:], piece)...)
}

// Pair makes evidence of two messages or certificates of one view, as they stand
// in consensus.Conflict: against all validators that signed both; with b nil,
// of a Finalize whose share does not hold. It is empty if they may stand beside
// each other. The signatures are not checked; a and b
// are shared and must not change.
func Pair(set *valset.Set, a, b *msg.Message) []Evidence {
	va, ha, oka := half(set.Len(), a)
	if b == nil {
		if !oka || len(ha.Share) == 0 {
			return nil
		}
		return []Evidence{{Share: &Share{Kind: BadShare, Epoch: set.Epoch(), View: va, Vote: ha}}}
	}
	vb, hb, okb := half(set.Len(), b)
	if !oka || !okb || va != vb {
		return nil
	}
	return conflict(set.Epoch(), va, &ha, &hb, common(&ha, &hb))
}

func (c *Conflict) shape() error {
	if err := c.A.shape(); err != nil {
		return err
	}
	if err := c.B.shape(); err != nil {
		return err
	}
	kind, ordered := excludes(&c.A, &c.B)
	switch {
	case c.View == 0:
		return fmt.Errorf("%w: a vote of view 0", ErrMalformed)
	case kind != c.Kind || !ordered:
		return fmt.Errorf("%w: %v and %v are not %v", ErrMalformed, c.A.Kind, c.B.Kind, c.Kind)
	}
	who := common(&c.A, &c.B)
	if len(who) == 0 || !c.A.sum() && len(who) != c.A.count() || !c.B.sum() && len(who) != c.B.count() {
		return fmt.Errorf("%w: the halves are not cut to the common signers", ErrMalformed)
	}
	return nil
}
