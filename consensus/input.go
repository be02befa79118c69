// SPDX-License-Identifier: Apache-2.0

package consensus

import (
	"errors"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/msg"
	"github.com/openledger/openledger/consensus/valset"
	"github.com/openledger/openledger/internal/bls"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/vrf"
)

// Errors that stand in Output.Err. The driver logs them and stops the node.
var (
	// ErrStateMismatch: a final header carries other roots than our own
	// execution of its parent gave (CONS-29). Keep both.
	ErrStateMismatch = errors.New("own state differs from a finalized header")
	// ErrFork: a finalized block is not on the chain of our own final blocks.
	// More than a third of the power misbehaved.
	ErrFork = errors.New("finalized block conflicts with the final chain")
	// ErrFar: the seal is final, but only by a carrier so far above it that no
	// FinalityProof holds the headers between, and no next epoch can start from it.
	ErrFar = errors.New("the seal is too far below the carrier that makes it final")
	// ErrTwin: a valid vote by our key that we have no record of. Somebody else
	// signs with it, or the write-ahead log was lost (CONS-46).
	ErrTwin = errors.New("own key signed elsewhere")
	// ErrRecord: a restored record cannot be read.
	ErrRecord = errors.New("damaged consensus record")
	// ErrOrder: inputs came before Restored, or Restored came twice.
	ErrOrder = errors.New("input out of order")
)

// Params are the timer parameters of CONS-53 and the clock bounds of CONS-31,
// in milliseconds.
type Params struct {
	DeltaMS     uint64 // Δ0, 50 to 5,000
	DeltaCapMS  uint64 // largest Δ, at most 120,000
	PaceMS      uint64 // least time between starts of blocks, 0 to 5,000
	HeartbeatMS uint64 // an idle chain makes a block this often, 1,000 to 60,000
	DriftMS     uint64 // how far a header may be ahead of the wall clock, at most 2,000
	LagMS       uint64 // how far it may be behind, 5,000 to 120,000
	CertifyMS   uint64 // at most so long between certified blocks, 200 to 10,000
	EpochMS     uint64 // length of an epoch, 10,000 to 604,800,000; 0: it never ends
}

// LocalParams are the defaults of a network on one machine.
func LocalParams() Params {
	return Params{DeltaMS: 500, DeltaCapMS: 30_000, PaceMS: 20, HeartbeatMS: 5_000, DriftMS: 500, LagMS: 30_000,
		CertifyMS: 1_000}
}

// Root is a final block on whose state the driver stands: the last one in its
// database. That is genesis, the seal of the epoch before, or a normal block of
// the core's own epoch. The other fields are the results of the block.
type Root struct {
	Header       header.Header
	Finalization *cert.Certificate // of Header exactly; not needed for the root of the epoch
	StateRoot    [32]byte
	ReceiptsRoot [32]byte
	NextSet      [32]byte // as in Executed
	Waiting      bool     // as in Executed
}

// EpochStart is the root of an epoch: genesis, or the seal of the epoch before
// (CONS-40).
type EpochStart struct {
	Header header.Header
	Proof  []byte      // cert.FinalityProof of a seal, encoded: leaf 0 of what stands on it
	Set    *valset.Set // of the epoch that the seal ends; nil at genesis
}

// Config is what one Core decides under: one chain, epoch and validator. When
// the core has decided the seal of its epoch, the driver makes the next one.
type Config struct {
	ChainID [32]byte
	Set     *valset.Set
	Seed    [32]byte        // orders the leaders; SHA-256(ChainID), later the beacon of the seal
	Key     keys.PrivateKey // zero, or not of the set: the core only follows
	BLS     bls.PrivateKey  // of the same validator, if the set Aggregates
	VRF     vrf.PrivateKey  // of the same validator, if the set Draws
	Start   EpochStart      // may be left out if Root is genesis, or if epochs never end
	Root    Root
	Params  Params

	// NoSignUpTo is B of CONS-45 for a key whose log was damaged: nothing of a
	// view up to it is signed in this epoch, and what the key has said there is
	// taken as another's word. 0: all views may be signed.
	NoSignUpTo uint64
	// NullifyFrom is the exception: Nullify alone is signed of views from this one up
	// to NoSignUpTo, each on entry. The key is known not to have finalized there, or
	// its operator has given the word. 0: no such view.
	NullifyFrom uint64
}

// Input is one step of the world. Now is monotonic milliseconds since any
// origin, never falling; Wall is Unix milliseconds.
type Input struct {
	Now   uint64
	Wall  uint64
	Event Event
}

// Event is one of Restored, Message, Timer, Work, Link, Built, Available, Executed
// and Synced. Any other value is ignored.
type Event any

// Restored is the first input of every core, exactly once: the records of the
// write-ahead log in the order of their Append, without the driver's own
// kinds. It may be empty. Records at or below the root's view are skipped.
type Restored struct{ Records []Record }

// Message brings a verified message of another validator. Batches are ignored.
type Message struct{ msg.Verified }

// Timer says that Output.Deadline has come. A stale one does no harm.
type Timer struct{}

// Work says whether this node wants a block: transactions in the mempool that
// no undecided block holds, or a ledger duty that is due (CONS-53). Send it
// when the answer changes; repeating it does no harm.
type Work struct{ Pending bool }

// Link says that the stream to a validator, by its index in the set, is open or
// not. All count as open at first. Send it when the answer changes; repeating it
// does no harm. It is a hint about time only: a leader that cannot be reached is
// not waited for (CONS-53).
type Link struct {
	Validator int
	Up        bool
}

// Built answers a Build request: the batches of the block, both zero for an
// empty block. It is ignored if View is no longer ours to propose in.
type Built struct {
	View    uint64
	Parent  header.Hash
	Digests [][32]byte
	Txs     uint64 // transactions in all batches
}

// Available answers a Fetch with Proposal unset: all batches of the block are
// held. Valid is false if a batch, a transaction or the sum of transactions or
// bytes breaks a rule; such a block is never voted for.
type Available struct {
	Block header.Hash
	Valid bool
}

// Executed answers an Execute: the roots after the block, and what the state
// after it says about the blocks on it.
type Executed struct {
	Block        header.Hash
	StateRoot    [32]byte
	ReceiptsRoot [32]byte
	NextSet      [32]byte // hash of the set that this state elects for the next epoch
	Waiting      bool     // an object awaits a seed (CONS-35)
}

// Synced says that the driver has committed blocks up to Root outside the core,
// by sync, and that they are on stable storage. It is ignored at or below the
// core's own root.
type Synced struct{ Root Root }
