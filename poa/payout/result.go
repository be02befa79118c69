// SPDX-License-Identifier: Apache-2.0

package payout

import (
	"bytes"
	"crypto/sha256"
	"fmt"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/merkle"
	"github.com/openledger/openledger/poa"
	"github.com/openledger/openledger/poa/knn"
)

// OwnerShare is one owner's line of a result: the signed total Hi·2^64 + Lo in
// units of 1/(2^40·ValidRows), and its weight of 2^40.
type OwnerShare struct {
	_      struct{} `cbor:",toarray"`
	Owner  keys.Address
	Hi     int64
	Lo     uint64
	Weight uint64
}

// Total returns the signed total.
func (s OwnerShare) Total() knn.Wide { return knn.Wide{Hi: s.Hi, Lo: s.Lo} }

// Result is the outcome of a job, the output of its task. Equal inputs give
// equal bytes on every machine. Spec: FLW-01.
type Result struct {
	_           struct{} `cbor:",toarray"`
	Rule        string   // poa/1
	Method      string   // knn/1
	K           uint64
	Soft        bool
	Classes     uint64
	Tau         uint64
	RowsPerLeaf uint64
	Rows        uint64 // training rows read
	Atoms       uint64 // players
	Duplicates  uint64 // rows that joined an atom
	Leaks       uint64 // rows that stand on a validation row
	ValidRows   uint64 // validation rows that judge
	Dropped     uint64 // validation rows that stand on an earlier atom
	Leaves      uint64
	LeafRoot    [32]byte // RFC 6962 over leaf digests
	Owners      []OwnerShare
}

// Encode returns the canonical bytes: the task's output.
func (r Result) Encode() []byte { return enc.Encode(r) }

// Root returns SHA-256(dom("poa-result", r)): the result root of the commit
// and the output root of the task.
func (r Result) Root() [32]byte { return keys.Sum(poa.DomainResult, r) }

// Attributed reports whether some owner has a weight. If none has, the model
// version is `unattributed` (SHR-03).
func (r Result) Attributed() bool { return positive(r.weights()) }

func (r Result) weights() []uint64 {
	w := make([]uint64, len(r.Owners))
	for i, o := range r.Owners {
		w[i] = o.Weight
	}
	return w
}

// WeightLeaves returns the leaves of the weight tree: amount weight, body the
// owner's 32 bytes, one per owner in ascending order.
func (r Result) WeightLeaves() []merkle.SumLeaf {
	leaves := make([]merkle.SumLeaf, len(r.Owners))
	for i, o := range r.Owners {
		leaves[i] = merkle.SumLeaf{Sum: o.Weight, Body: bytes.Clone(o.Owner[:])}
	}
	return leaves
}

// WeightRoot returns the Merkle-sum root over WeightLeaves; its sum is 2^40,
// or 0 if the version is unattributed. Spec: RCP-02, FLW-01.
// Errors: those of merkle.SumTree, for weights that Check refuses.
func (r Result) WeightRoot() (merkle.SumRoot, error) { return merkle.SumTree(r.WeightLeaves()) }

// Params returns the parameter record of the AttributionCommit, at most 256
// bytes, and its hash. Spec: FLW-01.
func (r Result) Params() (record []byte, hash [32]byte) {
	record = enc.Encode([]any{
		r.Method, r.K, r.Soft, r.Classes, r.Tau, r.RowsPerLeaf,
		r.Rows, r.Atoms, r.Duplicates, r.Leaks, r.ValidRows, r.Dropped,
	})
	return record, sha256.Sum256(record)
}

// Check verifies what a reader can verify without the rows: the rule, owners
// in ascending order, and weights that follow from the totals.
// Errors: poa.ErrRange.
func (r Result) Check() error {
	if r.Rule != poa.Rule || r.Method != string(poa.MethodKNN) {
		return fmt.Errorf("%w: rule %.16q method %.16q", poa.ErrRange, r.Rule, r.Method)
	}
	if len(r.Owners) == 0 || r.Leaves == 0 || r.ValidRows == 0 || r.Atoms == 0 {
		return fmt.Errorf("%w: an empty result", poa.ErrRange)
	}
	totals := make([]knn.Wide, len(r.Owners))
	for i, o := range r.Owners {
		totals[i] = o.Total()
		if i > 0 && bytes.Compare(r.Owners[i-1].Owner[:], o.Owner[:]) >= 0 {
			return fmt.Errorf("%w: owners are not ascending at %d", poa.ErrRange, i)
		}
	}
	weights, _ := Weights(totals)
	for i, o := range r.Owners {
		if o.Weight != weights[i] {
			return fmt.Errorf("%w: owner %d has weight %d, its total gives %d", poa.ErrRange, i, o.Weight, weights[i])
		}
	}
	return nil
}

// DecodeResult reads and checks a result in its one encoding.
// Errors: those of enc.Decode and Check.
func DecodeResult(b []byte) (Result, error) {
	var r Result
	if err := enc.Decode(b, &r); err != nil {
		return Result{}, fmt.Errorf("decode result: %w", err)
	}
	if err := r.Check(); err != nil {
		return Result{}, err
	}
	return r, nil
}
