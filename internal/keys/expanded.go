// SPDX-License-Identifier: Apache-2.0

package keys

import "github.com/oasisprotocol/curve25519-voi/primitives/ed25519"

// Expanded is a public key made ready for many checks: its point is decoded and
// its multiples stand in a table. It is immutable and takes about 1.5 KiB.
type Expanded struct {
	pk PublicKey
	ex *ed25519.ExpandedPublicKey // nil: not on the curve, no signature holds
}

// Expand makes k ready for many checks. Cost: less than one Verify.
func (k PublicKey) Expand() *Expanded {
	ex, err := ed25519.NewExpandedPublicKey(k[:])
	if err != nil {
		ex = nil
	}
	return &Expanded{pk: k, ex: ex}
}

// Key returns the key that was expanded.
func (e *Expanded) Key() PublicKey { return e.pk }

// Verify gives the verdict of Verify for this key, at about two thirds of its
// cost. Spec: KEY-01.
func (e *Expanded) Verify(msg []byte, sig Signature) bool {
	return e.ex != nil && ed25519.VerifyExpandedWithOptions(e.ex, msg, sig[:], zip215)
}
