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

// The domain table. Each comment names the one thing that the domain wraps. A
// domain of the specification enters the table together with its first user.
const (
	DomainTx       Domain = "tx"       // signed bytes of a transaction: chain id, body
	DomainTxID     Domain = "txid"     // transaction id: chain id, body
	DomainVoucher  Domain = "voucher"  // signed bytes of a channel voucher: chain id, voucher
	DomainReceipt  Domain = "receipt"  // signed bytes of an inference receipt: chain id, receipt
	DomainAddr     Domain = "addr"     // address of an account: its first auth
	DomainModule   Domain = "module"   // address of a module account: its name
	DomainID       Domain = "id"       // object id: transaction id, kind, index
	DomainDraw     Domain = "draw"     // words of a ledger draw: seed, purpose, object id, counter
	DomainSeed     Domain = "seed"     // seed of an object's draws: randomness, object id
	DomainCheck    Domain = "check"    // commitment of a checker to its verdict
	DomainState    Domain = "state"    // state between two segments of a run: task, operator, index, root
	DomainProgram  Domain = "program"  // what a saved training state belongs to: task, operator, program, data
	DomainTensor   Domain = "tensor"   // leaf of a model root: name, type, shape, content id
	DomainRow      Domain = "row"      // hash of a dataset row: features, label, meta
	DomainPoA      Domain = "poa"      // seed of an attribution leaf: seed, purpose, index
	DomainRequest  Domain = "request"  // commitment to an inference request or answer
	DomainVote     Domain = "vote"     // signed bytes of a consensus vote of any kind
	DomainHeader   Domain = "header"   // block hash: header
	DomainBatch    Domain = "batch"    // digest of a batch of transactions
	DomainSet      Domain = "set"      // hash of a validator set: epoch, entries
	DomainPeerBind Domain = "peerbind" // signed binding of a validator to a peer id
	DomainManifest Domain = "manifest" // signed announcement of a manifest
	DomainBeacon   Domain = "beacon"   // what a leader draws from by VRF: chain id, epoch, view, beacon after the parent
	DomainRandom   Domain = "random"   // beacon after a block: beacon after its parent, output of the VRF
	DomainFinal    Domain = "final"    // what a share of an aggregate Finalization signs: chain id, epoch, view, block
	DomainBLSKey   Domain = "bls-key"  // secret seed of a validator's BLS key: seed of its vote key
	DomainRegister Domain = "register" // what a vote key signs for its account: chain id, sender, vote, BLS and VRF key
	DomainVRFKey   Domain = "vrf-key"  // secret seed of a validator's VRF key: seed of its vote key
)

// Tag separates the hashes onto curves and what they feed. It is used as it
// stands, without Dom, because other standards fix its form. Spec: ENC-05.
type Tag string

// The tags, in the same table as the domains.
const (
	TagBLSSign  Tag = "BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_" // point of a signed message
	TagBLSPop   Tag = "BLS_POP_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_" // point of a public key whose possession is proven
	TagBLSSalt  Tag = "BLS-SIG-KEYGEN-SALT-"                        // salt of the secret scalar made from a seed
	TagVRFKey   Tag = "openledger/vrf/key/1"                        // secret scalar: seed
	TagVRFInput Tag = "openledger/vrf/h2c/1"                        // point of an input: public key, alpha
	TagVRFNonce Tag = "openledger/vrf/nonce/1"                      // secret nonce of a proof: secret scalar, alpha
	TagVRFProof Tag = "openledger/vrf/1"                            // challenge of a proof
	TagVRFOut   Tag = "openledger/vrf/out/1"                        // output: point
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
