// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"errors"
	"fmt"

	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/keys"
)

// MaxBytes bounds an encoded Evidence (CONS-54).
const MaxBytes = 32 << 10

// Errors of Decode and Check. None of them ever becomes valid evidence under
// the same set, but for ErrEpoch: judge that under the set of its epoch.
var (
	ErrMalformed = errors.New("malformed evidence")
	ErrEpoch     = errors.New("evidence of another epoch")
	ErrSignature = errors.New("signature in the evidence does not hold")
	// ErrNoFault: everything is signed and nothing breaks a rule.
	ErrNoFault = errors.New("evidence shows no fault")
	// ErrJudge: the fault can be judged only with what this Court lacks.
	ErrJudge = errors.New("evidence cannot be judged here")
)

// Kind numbers what can be shown (CONS-54). It is the first element of the
// encoding and never reused.
type Kind uint64

// The kinds.
const (
	DoubleNotarize   Kind = 1 // Notarize of two blocks
	DoubleFinalize   Kind = 2 // Finalize of two blocks
	NullifyFinalize  Kind = 3 // Nullify and Finalize
	NotarizeFinalize Kind = 4 // Notarize of one block, Finalize of another
	DoublePropose    Kind = 5 // two blocks proposed
	UnjustifiedVote  Kind = 6 // Notarize or Finalize of a block that no rule allows
	BadShare         Kind = 7 // a Finalize whose BLS share does not hold
	BadBatch         Kind = 8 // a batch with an invalid transaction
)

var kindNames = [...]string{
	"", "DoubleNotarize", "DoubleFinalize", "NullifyFinalize", "NotarizeFinalize", "DoublePropose", "UnjustifiedVote", "BadShare", "BadBatch",
}

// String names the kind as CONS-54 does.
func (k Kind) String() string {
	if k < DoubleNotarize || k > BadBatch {
		return fmt.Sprintf("Kind(%d)", uint64(k))
	}
	return kindNames[k]
}

// Class is what a kind of fault costs (CONS-54).
type Class uint8

// The classes.
const (
	Slash Class = 1 // stake, by the power convicted with it
	Jail  Class = 2 // one epoch and a small fine
)

// String returns "slash" or "jail".
func (c Class) String() string {
	if c == Slash {
		return "slash"
	}
	return "jail"
}

// Class returns what a fault of the kind costs.
func (k Kind) Class() Class {
	if k == BadShare || k == BadBatch {
		return Jail
	}
	return Slash
}

// Evidence is one showing of a fault by one or more validators, of one epoch
// and view: exactly one field is set. Make it with Pair, Finder or Fork, or
// Decode it. It is never changed after it was made.
type Evidence struct {
	Conflict *Conflict
	Unjust   *Unjustified
	Share    *Share
	Batch    *Batch
}

// Conflict is kinds DoubleNotarize to DoublePropose: two halves that exclude
// each other. Where both are of one kind A has the lesser block; in
// NullifyFinalize A is the Nullify, in NotarizeFinalize the Notarize.
type Conflict struct {
	_     struct{} `cbor:",toarray"`
	Kind  Kind
	Epoch uint64
	View  uint64
	A, B  Half
}

// Unjustified is kind UnjustifiedVote: votes for a block whose header shows that
// no honest validator could vote for it. What Fault does not need is empty.
type Unjustified struct {
	_      struct{} `cbor:",toarray"`
	Kind   Kind
	Epoch  uint64
	View   uint64 // of the votes
	Votes  Half   // Notarize or Finalize
	Header header.Header
	Fault  Fault
	Index  uint64         // BadLeaf: its place
	Leaf   []byte         // BadLeaf: what stands there
	Path   [][32]byte     // BadLeaf: to Header.Justification
	Parent *header.Header // BadLink
}

// Fault says what is wrong with the block of an Unjustified.
type Fault uint64

// The faults of a block.
const (
	BadFace   Fault = 1 // Header breaks a rule by itself, or is of another view, epoch, chain or set
	BadLeaf   Fault = 2 // Leaf is not the certificate that its place demands
	BadLink   Fault = 3 // Header is no lawful child of Parent
	BadLeader Fault = 4 // Header names another leader than the schedule
)

// Share is kind BadShare: a signed Finalize with a BLS share that is not the
// signer's.
type Share struct {
	_     struct{} `cbor:",toarray"`
	Kind  Kind
	Epoch uint64
	View  uint64
	Vote  Half
}

// Batch is kind BadBatch: a digest that its author signed, and a transaction
// under it that is not valid in any state.
type Batch struct {
	_      struct{} `cbor:",toarray"`
	Kind   Kind
	Epoch  uint64
	Author uint64 // index in the set
	Seq    uint64
	Count  uint64 // transactions in the batch
	Root   [32]byte
	Sig    keys.Signature // of the digest
	Index  uint64
	Tx     []byte
	Path   [][32]byte
}

// body returns the one part that is set, or nil.
func (e *Evidence) body() any {
	var list []any
	if e.Conflict != nil {
		list = append(list, e.Conflict)
	}
	if e.Unjust != nil {
		list = append(list, e.Unjust)
	}
	if e.Share != nil {
		list = append(list, e.Share)
	}
	if e.Batch != nil {
		list = append(list, e.Batch)
	}
	if len(list) != 1 {
		return nil
	}
	return list[0]
}

// Encode returns the canonical bytes: an array that starts with the kind. e
// must hold exactly one part.
func (e *Evidence) Encode() []byte {
	b := e.body()
	if b == nil {
		panic("evidence: not exactly one part is set") // a fault of the program
	}
	return enc.Encode(b)
}

// Decode reads evidence and checks its shape, not its signatures. At most
// MaxBytes are read; exactly one encoding of each value is accepted. Errors:
// ErrMalformed.
func Decode(b []byte) (*Evidence, error) {
	// An array of less than 24 elements, then a kind below 24: one byte each.
	if len(b) < 2 || len(b) > MaxBytes || b[0]>>5 != 4 || b[1] > 23 {
		return nil, fmt.Errorf("%w: %d bytes without a kind, at most %d", ErrMalformed, len(b), MaxBytes)
	}
	e := new(Evidence)
	switch k := Kind(b[1]); {
	case k >= DoubleNotarize && k <= DoublePropose:
		e.Conflict = new(Conflict)
		return e, decode(b, e.Conflict, e.Conflict.shape)
	case k == UnjustifiedVote:
		e.Unjust = new(Unjustified)
		return e, decode(b, e.Unjust, e.Unjust.shape)
	case k == BadShare:
		e.Share = new(Share)
		return e, decode(b, e.Share, e.Share.shape)
	case k == BadBatch:
		e.Batch = new(Batch)
		return e, decode(b, e.Batch, e.Batch.shape)
	default:
		return nil, fmt.Errorf("%w: unknown kind %d", ErrMalformed, b[1])
	}
}

func decode(b []byte, v any, shape func() error) error {
	if err := enc.Decode(b, v); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return shape()
}

// Kind returns what e shows.
func (e *Evidence) Kind() Kind {
	switch {
	case e.Conflict != nil:
		return e.Conflict.Kind
	case e.Unjust != nil:
		return e.Unjust.Kind
	case e.Share != nil:
		return e.Share.Kind
	case e.Batch != nil:
		return e.Batch.Kind
	}
	return 0
}

// Epoch returns the epoch whose set signed.
func (e *Evidence) Epoch() uint64 {
	switch {
	case e.Conflict != nil:
		return e.Conflict.Epoch
	case e.Unjust != nil:
		return e.Unjust.Epoch
	case e.Share != nil:
		return e.Share.Epoch
	case e.Batch != nil:
		return e.Batch.Epoch
	}
	return 0
}

// View returns the view of the fault; 0 for a batch, which has none.
func (e *Evidence) View() uint64 {
	switch {
	case e.Conflict != nil:
		return e.Conflict.View
	case e.Unjust != nil:
		return e.Unjust.View
	case e.Share != nil:
		return e.Share.View
	}
	return 0
}

// Signers returns the set indices that e accuses, ascending: who signed both
// halves, or the vote, or the batch. Whether they are guilty is for Check.
func (e *Evidence) Signers() []int {
	switch {
	case e.Conflict != nil:
		return common(&e.Conflict.A, &e.Conflict.B)
	case e.Unjust != nil:
		return e.Unjust.Votes.list()
	case e.Share != nil:
		return e.Share.Vote.list()
	case e.Batch != nil:
		return []int{int(e.Batch.Author)}
	}
	return nil
}
