// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"fmt"
	"time"

	"github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/types"
)

// Commit returns a check of one block's commit by n validators, as CometBFT makes
// it in block sync: signatures in a batch until more than two thirds are there.
func Commit(n int) (func() error, error) {
	const chain, height = "compare", 7
	keys := map[string]ed25519.PrivKey{}
	var list []*types.Validator
	for i := range n {
		k := ed25519.GenPrivKeyFromSecret([]byte(fmt.Sprint(i)))
		v := types.NewValidator(k.PubKey(), 1)
		keys[v.Address.String()] = k
		list = append(list, v)
	}
	set := types.NewValidatorSet(list)
	hash := make([]byte, 32)
	id := types.BlockID{Hash: hash, PartSetHeader: types.PartSetHeader{Total: 1, Hash: hash}}
	hash[0] = 1
	c := &types.Commit{Height: height, BlockID: id}
	for i, v := range set.Validators {
		c.Signatures = append(c.Signatures, types.CommitSig{BlockIDFlag: types.BlockIDFlagCommit, ValidatorAddress: v.Address,
			Timestamp: time.UnixMilli(int64(1_700_000_000_000 + i))})
	}
	for i, v := range set.Validators {
		sig, err := keys[v.Address.String()].Sign(c.VoteSignBytes(chain, int32(i)))
		if err != nil {
			return nil, err
		}
		c.Signatures[i].Signature = sig
	}
	check := func() error { return types.VerifyCommitLight(chain, set, id, height, c) }
	return check, check()
}
