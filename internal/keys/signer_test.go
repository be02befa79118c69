// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"
)

// TestCheckSignerIsCheckForKeysThatCanSign compares both on every encoding of a
// point of small order, on encodings that are not canonical, and on ordinary keys.
func TestCheckSignerIsCheckForKeysThatCanSign(t *testing.T) {
	var list []PublicKey
	small := map[PublicKey]bool{}
	for _, p := range curve.EIGHT_TORSION {
		var y curve.CompressedEdwardsY
		y.SetEdwardsPoint(p)
		k := PublicKey(y)
		small[k] = true
		flipped := k
		flipped[31] ^= 0x80
		list = append(list, k, flipped)
	}
	if len(small) != 8 {
		t.Fatalf("%d points of small order", len(small))
	}
	for low := range 19 { // p + low: the same y once more
		k := PublicKey{byte(0xed + low)}
		for i := 1; i < 32; i++ {
			k[i] = 0xff
		}
		k[31] = 0x7f
		list = append(list, k)
	}
	for i := range 64 {
		list = append(list, FromSeed([32]byte{byte(i)}).Public())
	}
	for _, k := range list {
		var p curve.EdwardsPoint
		y := curve.CompressedEdwardsY(k)
		if _, err := p.SetCompressedY(&y); err != nil {
			continue // no signature of it holds
		}
		if got, want := k.CheckSigner(), k.Check(); (got == nil) != (want == nil) {
			t.Errorf("%v: %v, Check says %v", k, got, want)
		}
	}
	for k := range small {
		if k.CheckSigner() == nil {
			t.Errorf("%v has small order", k)
		}
	}
}
