// SPDX-License-Identifier: Apache-2.0

package task

import (
	"errors"
	"fmt"

	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/channel"
	"github.com/openledger/openledger/poa/decoder"
	"github.com/openledger/openledger/poa/program"
)

// ID is an object id or another bare 32-byte value.
type ID = channel.ID

// Limits of a task.
const (
	Checkers    = 3                  // drawn for each attempt, as far as they exist
	Attempts    = 2                  // draws before an undecided task expires
	MaxSegments = 4_096              // of one commitment, as poa/checkpoint has it
	MinWindowMS = 1_000              // shortest window in chain milliseconds
	MaxWindowMS = 7 * 24 * 3_600_000 // longest window
)

// Errors of the table.
var (
	ErrPhase      = errors.New("task is not in the phase for this")
	ErrClosed     = errors.New("window has closed")
	ErrParty      = errors.New("account may not take this part")
	ErrNotDrawn   = errors.New("account was not drawn")
	ErrCommitHash = errors.New("reveal does not match the commitment")
	ErrCheckers   = errors.New("no eligible checker")
	ErrSegments   = errors.New("segment count is not the program's")
)

// Kind says what a task computes.
type Kind uint8

// The kinds.
const (
	Train     Kind = 1 // a model of tables
	Attribute Kind = 2 // whose rows speak for whom
	Learn     Kind = 3 // a language model, or adapters of one
	Evaluate  Kind = 4 // what a model says, against what is so
	Answer    Kind = 5 // what a model says
)

var kindNames = [...]string{"unknown", "train", "attribute", "learn", "evaluate", "answer"}

// String returns the word for people.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return kindNames[0]
}

// State is where a task stands.
type State uint8

// The states. Settled, Void and Expired are final.
const (
	Posted    State = 1 // escrowed, waits for a claim
	Assigned  State = 2 // claimed, waits for the result
	Drawing   State = 8 // result committed, waits for the seed that draws its checkers
	Committed State = 3 // checkers drawn, wait for their commitments
	Revealing State = 4 // commitments closed, wait for the verdicts
	Settled   State = 5 // confirmed: operator and checkers are paid
	Void      State = 6 // refuted: requester refunded, checkers paid
	Expired   State = 7 // undecided or abandoned: everything refunded
)

var stateNames = [...]string{"none", "posted", "assigned", "committed", "revealing", "settled", "void", "expired", "drawing"}

// String returns the word for people.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "unknown"
}

// Final reports whether nothing can happen any more.
func (s State) Final() bool { return s >= Settled && s <= Expired }

// ErrName reports a word that names no state or kind.
var ErrName = errors.New("no such task state or kind")

// MarshalText returns String.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what String writes. Errors: ErrName.
func (s *State) UnmarshalText(b []byte) error {
	for i := Posted; i <= Drawing; i++ {
		if i.String() == string(b) {
			*s = i
			return nil
		}
	}
	return fmt.Errorf("%w: %q", ErrName, b)
}

// MarshalText returns String.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads what String writes. Errors: ErrName.
func (k *Kind) UnmarshalText(b []byte) error {
	for i := Train; i <= Answer; i++ {
		if i.String() == string(b) {
			*k = i
			return nil
		}
	}
	return fmt.Errorf("%w: %q", ErrName, b)
}

// Spec is what a requester posts; it never changes. Price and CheckFee are base
// units, windows chain milliseconds. Exactly one of Train, Attribute, Learn and Ask
// is set, as Kind says. Model is the base of Learn or what Ask asks, Validation for
// Train and Attribute; both are zero for none. Segments is how many segment leaves
// the work has. Spec: TASK-02.
type Spec struct {
	_          struct{}           `cbor:",toarray"`
	Requester  keys.Address       `json:"requester"`
	Kind       Kind               `json:"kind"`
	Train      *program.Train     `json:"train,omitempty"`
	Attribute  *program.Attribute `json:"attribute,omitempty"`
	Learn      *decoder.Learn     `json:"learn,omitempty"`
	Ask        *decoder.Ask       `json:"ask,omitempty"`
	Model      ID                 `json:"model"`
	Datasets   []ID               `json:"datasets"`
	Validation ID                 `json:"validation"`
	Segments   uint64             `json:"segments"`
	Price      fixed.Amount       `json:"price"`
	CheckFee   fixed.Amount       `json:"check_fee"`
	ClaimMS    uint64             `json:"claim_ms"`
	WorkMS     uint64             `json:"work_ms"`
	CheckMS    uint64             `json:"check_ms"`
	RevealMS   uint64             `json:"reveal_ms"`
}

// Verdict is the pair of roots that a replay gave: over the segment leaves, and
// of the result.
type Verdict struct {
	_          struct{} `cbor:",toarray"`
	Root       ID       `json:"root"`
	OutputRoot ID       `json:"output_root"`
}

// Output is what the operator committed to. ID is the object id of the commit,
// over which the checkers are drawn.
type Output struct {
	_       struct{}   `cbor:",toarray"`
	ID      ID         `json:"id"`
	Verdict Verdict    `json:"verdict"`
	Content content.ID `json:"content_cid"`
	Bytes   uint64     `json:"bytes"`
	AtMS    uint64     `json:"at_ms"`
}

// Checker is one drawn checker: its commitment, then its verdict.
type Checker struct {
	_       struct{}     `cbor:",toarray"`
	Account keys.Address `json:"account"`
	Hash    *ID          `json:"hash,omitempty"`
	Verdict *Verdict     `json:"verdict,omitempty"`
}

// Task is the state object of one task. DueMS is its entry in the due-queue, 0
// while Drawing and when final; SeedAfter is the height from which it has waited
// for a seed, 0 unless Drawing. Attempt counts draws from 1; Past holds the checkers of the first
// attempt after a second draw. Deposit is the state deposit of its object.
type Task struct {
	_        struct{}      `cbor:",toarray"`
	Spec     Spec          `json:"spec"`
	State    State         `json:"state"`
	PostedMS uint64        `json:"posted_ms"`
	DueMS    uint64        `json:"due_ms"`
	Operator *keys.Address `json:"operator,omitempty"`
	Output   *Output       `json:"output,omitempty"`
	Attempt  uint64        `json:"attempt"`
	Checkers []Checker     `json:"checkers,omitempty"`
	Past     []Checker     `json:"past,omitempty"`
	Deposit  fixed.Amount  `json:"deposit"`

	SeedAfter uint64 `json:"seed_after,omitempty"`
}

// CheckHash is the commitment of a checker: H(dom("check", task, checker, root,
// output root, salt)). It binds the checker, so a copied commitment is useless.
func CheckHash(id ID, checker keys.Address, v Verdict, salt ID) ID {
	return ID(keys.Sum(keys.DomainCheck, id, checker, v.Root, v.OutputRoot, salt))
}

// Pay is one payment out of a task's escrow.
type Pay struct {
	To     keys.Address
	Amount fixed.Amount
}

// Payout divides the whole escrow of a task that has ended: its amounts sum to
// Price + CheckFee. Zero amounts are left out; the same account may appear more
// than once.
type Payout []Pay

func (p Payout) add(to keys.Address, a fixed.Amount) Payout {
	if a == 0 {
		return p
	}
	return append(p, Pay{to, a})
}
