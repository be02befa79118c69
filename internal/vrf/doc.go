// SPDX-License-Identifier: Apache-2.0

// Package vrf is the verifiable random function of the beacon: who holds a key
// turns an input into 32 bytes that nobody else could foretell and that
// everybody can check, and that the holder has no choice about.
//
// The output is a function of key and input alone, so a holder who dislikes it
// can only withhold it. Only one encoding of a proof is accepted for given
// parts; the proof around one output may be made anew by the holder of the key,
// so compare outputs, never proofs.
//
// It refuses to read a random source (the nonce of a proof is a hash over
// secret key and input), to print a secret key, and to use a key or an output
// point that is the identity. It knows no blocks: the caller wraps the input by
// keys.Dom.
//
// The main types are [PrivateKey] and [PublicKey].
//
//	key := vrf.Derive(voteKey)
//	proof, beta := key.Prove(alpha)
//	same, err := vrf.Verify(key.Public(), alpha, proof[:])
//
// Spec: CONS-34.
package vrf
