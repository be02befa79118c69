// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"crypto/sha256"

	"github.com/openledger/openledger/consensus/evidence"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
)

// Court returns what SlashEvidence of an epoch is judged under in a block after v:
// the set, the seed of its leaders, the rules of a transaction. Whether it is too
// old is for the ledger to say. Errors: state.ErrUnknown for an epoch whose set v
// does not keep, those of the view, valset.ErrSet for a damaged state.
func Court(v state.View, chainID [32]byte, epoch uint64) (evidence.Court, error) {
	clock, err := state.GetClock(v)
	if err != nil {
		return evidence.Court{}, err
	}
	var past state.PastSet
	if epoch == clock.Epoch {
		var later bool
		if past.Seed, later, err = state.Load[[32]byte](v, state.SetSeedKey()); err == nil && !later {
			past.Seed = sha256.Sum256(chainID[:])
		}
		if err == nil {
			past.Validators, err = state.GetValidators(v)
		}
	} else {
		past, err = state.GetPastSet(v, epoch)
	}
	if err != nil {
		return evidence.Court{}, err
	}
	set, err := makeSet(epoch, past.Validators)
	if err != nil {
		return evidence.Court{}, err
	}
	return evidence.Court{ChainID: chainID, Set: set, Seed: &past.Seed, BadTx: func(raw []byte) bool { return invalid(chainID, raw) }}, nil
}

// OffenceKey is the key that stands in the state once o was punished.
func OffenceKey(o evidence.Offence) []byte {
	view := o.View
	if o.Class == evidence.Jail {
		view = 0 // a fault of a program repeats: once per epoch
	}
	return state.OffenceKey(o.Address, o.Epoch, view, byte(o.Class))
}

// invalid reports whether no state makes raw a valid transaction.
func invalid(chainID [32]byte, raw []byte) bool {
	s, err := tx.Decode(raw)
	if err == nil {
		_, err = tx.Verify(chainID, s)
	}
	return err != nil
}
