// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"crypto/sha256"

	"github.com/openledger/openledger/internal/enc"
)

// Domain separates hashes and signatures of different meaning. The constants
// below are the one table of the program; a test keeps them distinct and in
// plain lower-case letters. Spec: ENC-05.
type Domain string

// The domain table. Each comment names the one thing that the domain wraps.
const (
	DomainTx       Domain = "tx"       // signed bytes of a transaction: chain id, body
	DomainTxID     Domain = "txid"     // transaction id: chain id, body
	DomainVoucher  Domain = "voucher"  // signed bytes of a channel voucher: chain id, voucher
	DomainReceipt  Domain = "receipt"  // signed bytes of an inference receipt: chain id, receipt
	DomainOffer    Domain = "offer"    // hash of an operator's offer
	DomainAddr     Domain = "addr"     // address of an account: its first auth
	DomainModule   Domain = "module"   // address of a module account: its name
	DomainID       Domain = "id"       // object id: transaction id, kind, index
	DomainDraw     Domain = "draw"     // words of a ledger draw (EXE-05)
	DomainCheck    Domain = "check"    // commitment of a checker to its verdict
	DomainState    Domain = "state"    // key of the state tree
	DomainRow      Domain = "row"      // hash of a dataset row (LIN-01)
	DomainSeed     Domain = "seed"     // seed of an object's draws (CONS-36)
	DomainVote     Domain = "vote"     // consensus vote
	DomainHeader   Domain = "header"   // block hash
	DomainBatch    Domain = "batch"    // digest of a batch of transactions
	DomainSet      Domain = "set"      // validator set
	DomainFinal    Domain = "final"    // finalization
	DomainPeerBind Domain = "peerbind" // binding of a validator to a peer id
	DomainManifest Domain = "manifest" // announcement of a manifest
	DomainProgram  Domain = "program"  // id of a training program
	DomainTensor   Domain = "tensor"   // leaf of a model's tensor list
	DomainPoA      Domain = "poa"      // seed of an attribution leaf (ARC-04)
	DomainRequest  Domain = "request"  // commitment to an inference request or answer
)

// Dom returns enc(["openledger/" ‖ d ‖ "/1", xs…]), the bytes that are hashed
// or signed under domain d. It panics if an x has no encoding (enc.Encode).
// Spec: ENC-05.
func Dom(d Domain, xs ...any) []byte {
	list := make([]any, 0, len(xs)+1)
	list = append(list, "openledger/"+string(d)+"/1")
	return enc.Encode(append(list, xs...))
}

// Sum returns SHA-256 over Dom(d, xs…). Spec: ENC-05.
func Sum(d Domain, xs ...any) [32]byte {
	return sha256.Sum256(Dom(d, xs...))
}
