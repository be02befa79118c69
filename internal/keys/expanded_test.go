// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/openledger/openledger/internal/lanes"
)

// TestKEY01LanesFindWhatHolds shows that the fast way is taken where it should be:
// every honest batch of every size passes in it, and none with one bit changed.
func TestKEY01LanesFindWhatHolds(t *testing.T) {
	var jobs []signed
	for i := range 40 {
		k, msg := FromSeed(filled(byte(i%7))), bytes.Repeat([]byte{byte(i)}, 5*i)
		ex := k.Public().Expand()
		ex.lane = lanes.NewKey(k.Public()) // on every processor, by the plain code
		jobs = append(jobs, signed{k.Public(), msg, k.Sign(msg), ex})
	}
	if !lanes.Ready() {
		jobs = jobs[:12]
	}
	for n := 1; n <= len(jobs); n++ {
		if !lanesOK(jobs[:n]) {
			t.Fatalf("%d honest signatures do not pass", n)
		}
		bad := n * 7 % n
		if j := &jobs[n-1]; !j.ex.oneOK(j.msg, j.sig) || j.ex.oneOK(append([]byte{1}, j.msg...), j.sig) {
			t.Fatalf("signature %d alone is judged wrongly", n-1)
		}
		if n%3 == 0 {
			jobs[n-1].ex = nil // from here on a key that is not expanded
		}
		for _, bit := range []int{n % 256, 256 + n%252} {
			list := append([]signed(nil), jobs[:n]...)
			list[bad].sig[bit/8] ^= 1 << (bit % 8)
			if lanesOK(list) {
				t.Fatalf("%d signatures pass, of which number %d has bit %d changed", n, bad, bit)
			}
		}
		list := append([]signed(nil), jobs[:n]...)
		list[bad].msg = append([]byte{1}, list[bad].msg...)
		if lanesOK(list) {
			t.Fatalf("%d signatures pass, of which number %d is of another message", n, bad)
		}
	}
}

// FuzzExpanded puts a signature between two others, so that the batch is checked
// eight points at a time.
func FuzzExpanded(f *testing.F) {
	for _, j := range oddPool() {
		f.Add(j.pk[:], j.msg, j.sig[:])
	}
	honest := FromSeed(filled(1))
	sig, ready := honest.Sign([]byte("honest")), honest.Public().Expand()
	f.Fuzz(func(t *testing.T, pk, msg, s []byte) {
		if len(pk) != 32 || len(s) != 64 {
			return
		}
		k := PublicKey(pk).Expand()
		want := Verify(PublicKey(pk), msg, Signature(s))
		var b BatchVerifier
		b.AddExpanded(ready, []byte("honest"), sig)
		b.AddExpanded(k, msg, Signature(s))
		b.AddExpanded(ready, []byte("honest"), sig)
		if got := b.Verify(); !got[0] || got[1] != want || !got[2] {
			t.Fatalf("batch %v, single %v", got, want)
		}
		if k.lane == nil {
			return
		}
		one := []signed{{PublicKey(pk), msg, Signature(s), k}}
		if a, b := lanesOK(one), k.oneOK(msg, Signature(s)); a != want || b != want {
			t.Fatalf("the lanes say %v and %v, single %v", a, b, want)
		}
	})
}

func BenchmarkExpanded(b *testing.B) {
	var jobs []signed
	for i := range 256 {
		k, msg := FromSeed(filled(byte(i))), bytes.Repeat([]byte{byte(i)}, 180)
		jobs = append(jobs, signed{k.Public(), msg, k.Sign(msg), k.Public().Expand()})
	}
	b.Run("expand", func(b *testing.B) {
		for i := range b.N {
			jobs[i%256].pk.Expand()
		}
	})
	for _, n := range []int{1, 2, 3, 4, 6, 8, 16, 32, 64, 256} {
		b.Run(fmt.Sprintf("expanded/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; i < b.N; i += n {
				var v BatchVerifier
				for _, j := range jobs[:n] {
					v.AddExpanded(j.ex, j.msg, j.sig)
				}
				if !v.Verify()[0] {
					b.Fatal("refused")
				}
			}
		})
		b.Run(fmt.Sprintf("other/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; i < b.N; i += n {
				var v BatchVerifier
				for _, j := range jobs[:n] {
					v.Add(j.pk, j.msg, j.sig)
				}
				if !v.Verify()[0] {
					b.Fatal("refused")
				}
			}
		})
	}
}
