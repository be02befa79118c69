// SPDX-License-Identifier: Apache-2.0

package tx

import (
	"testing"

	"github.com/openledger/openledger/internal/keys"
)

func benchTransfers(n int) (raws [][]byte) {
	for i := range n {
		k := keys.FromSeed(repeat(byte(i)))
		s := Sign(testChain, Body{Nonce: uint64(i), MaxFee: 20_000, ValidUntil: 100, Payload: &Transfer{To: testAddr(1), Amount: 1}}, k)
		raws = append(raws, s.Encode())
	}
	return raws
}

// BenchmarkDecode reads one transfer of 195 bytes.
func BenchmarkDecode(b *testing.B) {
	raw := benchTransfers(1)[0]
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(raw); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkVerify checks one transfer, signature included.
func BenchmarkVerify(b *testing.B) {
	s, err := Decode(benchTransfers(1)[0])
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Verify(testChain, s); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkVerifyBatch256 decodes and checks 256 transfers; see the metric per
// transaction.
func BenchmarkVerifyBatch256(b *testing.B) {
	raws := benchTransfers(256)
	b.ReportAllocs()
	for b.Loop() {
		list := make([]Signed, len(raws))
		for i, raw := range raws {
			s, err := Decode(raw)
			if err != nil {
				b.Fatal(err)
			}
			list[i] = s
		}
		_, errs := VerifyBatch(testChain, list)
		for _, err := range errs {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(raws)), "ns/tx")
}
