// SPDX-License-Identifier: Apache-2.0

package consensus

import (
	"fmt"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/msg"
	"github.com/openledger/openledger/internal/enc"
)

// Output is what the driver must do after a Step, field by field in this order
// (CONS-04, CONS-43). Outputs of several Steps may be joined by Join; then one
// Sync serves all.
type Output struct {
	// Err stops the node. Nothing else of this output is to be done.
	Err error
	// Relay is messages to all other validators that hold no own signature.
	// They may leave before anything is on disk.
	Relay [][]byte
	// Append is records for the write-ahead log, in order. Before a record of
	// kind RecordBlock the driver appends the block's batches, unless they are
	// there already.
	Append []Record
	// Sync demands that all records appended so far are on stable storage before
	// Send. If that fails, stop the node.
	Sync bool
	// Send is messages to all other validators that hold an own signature.
	Send [][]byte
	// Deadline is the Input.Now at which a Timer is wanted; it replaces the one
	// of every earlier output. 0 means none.
	Deadline uint64
	// Requests start work whose answer comes as a later input.
	Requests []Request
	// Decide is final blocks in the order of the chain, each exactly once per
	// core, each available and executed. Commit them.
	Decide []Decision
	// Evidence is pairs of conflicting messages of one validator.
	Evidence []Conflict
}

// Join appends the output of the next Step, so that both are carried out at
// once: the lists in order, one Sync for both, the later Deadline. The first Err
// stays, and what came with or after it is not to be done.
func (o *Output) Join(next Output) {
	if o.Err != nil {
		return
	}
	o.Err = next.Err
	o.Relay = append(o.Relay, next.Relay...)
	o.Append = append(o.Append, next.Append...)
	o.Sync = o.Sync || next.Sync
	o.Send = append(o.Send, next.Send...)
	o.Deadline = next.Deadline
	o.Requests = append(o.Requests, next.Requests...)
	o.Decide = append(o.Decide, next.Decide...)
	o.Evidence = append(o.Evidence, next.Evidence...)
}

// Request is one of Build, Fetch, FetchCert, Sync, Execute and Discard. The core
// repeats Fetch, FetchCert and Sync until they are answered; a driver that is
// at work on the same request ignores the repetition.
type Request any

// Build asks for the batches of an own block: answer Built. Parent's
// undecided ancestors may hold transactions; do not take them again.
type Build struct {
	View         uint64
	Parent       header.Hash
	ParentHeader header.Header
}

// Fetch asks for a block. With Proposal set the proposal itself is missing:
// pull it by block hash from one of Holders, Verify it, and input it as Message.
// Otherwise hold and check every batch of Digests, pulling what is missing, and
// answer Available. Every block that matters is asked for, before its Execute:
// also after a restart, also if its batches are held already, and also an own or
// an empty block, where nobody waits for the answer.
type Fetch struct {
	Block    header.Hash
	View     uint64
	Proposal bool
	Header   *header.Header // nil if Proposal
	Digests  [][32]byte     // nil if Proposal
	Holders  []int          // validators who should hold it, the likeliest first
}

// FetchCert asks for certificates of the views From to To, both included: pull
// them from any validator and input each as Message.
type FetchCert struct{ From, To uint64 }

// Sync says that this node is too far behind to catch up message by message:
// fetch and commit the chain up to Target, a Finalization, or beyond, and
// answer Synced (once at the end, or at every stage).
type Sync struct{ Target *cert.Certificate }

// Execute asks to run a block on the result of its parent, which was executed
// before or is the root: answer Executed. Run it beside the voting (CONS-29).
type Execute struct {
	Block   header.Hash
	Header  *header.Header
	Digests [][32]byte
}

// Discard says that these blocks will never be final: drop their results.
type Discard struct{ Blocks []header.Hash }

// Decision is one final block. Finalization is of this block or of a later one
// in the same or a later output of this core (CONS-24, CONS-32). The decision of
// a seal is the last one of the core; its Proof is what the next epoch starts
// from (CONS-40).
type Decision struct {
	Block        header.Hash
	Header       header.Header
	Digests      [][32]byte
	Leaves       [][]byte // what Header.Justification commits to, then what those of Proof.Headers do
	Finalization *cert.Certificate
	Proof        *cert.FinalityProof // of a seal; else nil
}

// Conflict is two messages of one validator that exclude each other; or one, B
// being nil: a Finalize whose share does not hold.
type Conflict struct{ A, B *msg.Message }

// RecordKind numbers the kinds of records of the write-ahead log. Kinds from 64
// on belong to the driver.
type RecordKind uint8

// The kinds of records (CONS-43).
const (
	RecordEnter    RecordKind = 1 // Data empty, or what the log puts there: the core entered View
	RecordPropose  RecordKind = 2 // Data: own proposal as sent
	RecordNotarize RecordKind = 3 // Data: own vote as sent
	RecordNullify  RecordKind = 4
	RecordFinalize RecordKind = 5
	RecordCert     RecordKind = 6 // Data: certificate
	RecordBlock    RecordKind = 7 // Data: proposal with leaves; the batches stand before it
)

// Record is one entry of the write-ahead log. Data is never changed. A log
// segment may go once the database holds, on stable storage, a final block with
// a Finalization of its own, from which the next core can be rooted, whose epoch
// and view are at least those of each of the segment's records; a seal stands
// above all records of its epoch.
type Record struct {
	_     struct{} `cbor:",toarray"`
	Kind  RecordKind
	Epoch uint64
	View  uint64
	Data  []byte
}

// Encode returns the canonical bytes.
func (r Record) Encode() []byte { return enc.Encode(r) }

// DecodeRecord reads what Encode wrote. Errors: ErrRecord.
func DecodeRecord(b []byte) (Record, error) {
	var r Record
	if err := enc.Decode(b, &r); err != nil {
		return Record{}, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	return r, nil
}
