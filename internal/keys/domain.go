// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"crypto/sha256"

	"github.com/openledger/openledger/internal/enc"
)

// Domain separates hashes and signatures of different meaning (ENC-05).
type Domain string

// The domain table: each serves one type.
const (
	DomainTx       Domain = "tx"
	DomainTxID     Domain = "txid"
	DomainVoucher  Domain = "voucher"
	DomainReceipt  Domain = "receipt"
	DomainOffer    Domain = "offer"
	DomainAddr     Domain = "addr"
	DomainModule   Domain = "module"
	DomainID       Domain = "id"
	DomainDraw     Domain = "draw"
	DomainCheck    Domain = "check"
	DomainState    Domain = "state"
	DomainRow      Domain = "row"
	DomainSeed     Domain = "seed"
	DomainVote     Domain = "vote"
	DomainHeader   Domain = "header"
	DomainBatch    Domain = "batch"
	DomainSet      Domain = "set"
	DomainFinal    Domain = "final"
	DomainPeerBind Domain = "peerbind"
	DomainManifest Domain = "manifest"
	DomainProgram  Domain = "program"
	DomainTensor   Domain = "tensor"
	DomainPoA      Domain = "poa"
	DomainRequest  Domain = "request"
)

// Dom returns enc(["openledger/"‖d‖"/1", xs…]), the bytes that are hashed or
// signed under domain d.
func Dom(d Domain, xs ...any) []byte {
	list := make([]any, 0, len(xs)+1)
	list = append(list, "openledger/"+string(d)+"/1")
	return enc.Encode(append(list, xs...))
}

// Sum is SHA-256 over Dom(d, xs…).
func Sum(d Domain, xs ...any) [32]byte {
	return sha256.Sum256(Dom(d, xs...))
}
