// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"crypto/sha512"
	"encoding/binary"

	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519"

	"github.com/openledger/openledger/internal/lanes"
)

// Expanded is a public key made ready for many checks: its point is decoded and
// its multiples stand in a table. It is immutable and takes about 1.5 KiB, and
// 11.5 KiB more on processors with wide multipliers.
type Expanded struct {
	pk   PublicKey
	ex   *ed25519.ExpandedPublicKey // nil: not on the curve, no signature holds
	lane *lanes.Key                 // nil on other processors
}

// Expand makes k ready for many checks. Cost: one Verify, two where the tables are
// wide.
func (k PublicKey) Expand() *Expanded {
	ex, err := ed25519.NewExpandedPublicKey(k[:])
	if err != nil {
		return &Expanded{pk: k}
	}
	out := &Expanded{pk: k, ex: ex}
	if lanes.Ready() {
		out.lane = lanes.NewKey(k)
	}
	return out
}

// Key returns the key that was expanded.
func (e *Expanded) Key() PublicKey { return e.pk }

// Verify gives the verdict of Verify for this key, at half to two thirds of its
// cost. Spec: KEY-01.
func (e *Expanded) Verify(msg []byte, sig Signature) bool {
	if e.lane != nil && e.oneOK(msg, sig) {
		return true
	}
	return e.ex != nil && ed25519.VerifyExpandedWithOptions(e.ex, msg, sig[:], zip215)
}

// oneOK is lanesOK for one signature.
func (e *Expanded) oneOK(msg []byte, sig Signature) bool {
	h := sha512.New()
	h.Write(sig[:32])
	h.Write(e.pk[:])
	h.Write(msg)
	var wide [64]byte
	var f, s scalar.Scalar
	if _, err := f.SetBytesModOrderWide(h.Sum(wide[:0])); err != nil {
		return false
	}
	if _, err := s.SetCanonicalBytes(sig[32:]); err != nil {
		return false
	}
	b := s.ToRadix16()
	return lanes.ZeroOne(&b, &lanes.Term{R: [32]byte(sig[:32]), H: f.ToRadix16(), Key: e.lane})
}

// lanesOK checks the batch equation over up to lanes.MaxTerms jobs, eight points at
// a time. False says nothing: the caller checks in the other way.
func lanesOK(jobs []signed) bool {
	terms := make([]lanes.Term, len(jobs))
	scalars := make([]struct{ h, s scalar.Scalar }, len(jobs))
	all := sha512.New() // over what depends on every bit of the batch
	var wide [64]byte
	h := sha512.New()
	for i := range jobs {
		j, x := &jobs[i], &scalars[i]
		h.Reset()
		h.Write(j.sig[:32])
		h.Write(j.pk[:])
		h.Write(j.msg)
		h.Sum(wide[:0])
		if _, err := x.h.SetBytesModOrderWide(wide[:]); err != nil {
			return false
		}
		if _, err := x.s.SetCanonicalBytes(j.sig[32:]); err != nil {
			return false
		}
		all.Write(wide[:])
		all.Write(j.sig[32:])
		if terms[i].R, terms[i].A = [32]byte(j.sig[:32]), j.pk; j.ex != nil {
			terms[i].Key = j.ex.lane
		}
	}
	seed := all.Sum(nil)
	var sum, z, t scalar.Scalar
	var block [64]byte
	for i := range terms {
		if i%4 == 0 {
			block = sha512.Sum512(binary.BigEndian.AppendUint64(seed[:64:64], uint64(i)))
		}
		var f [32]byte
		copy(f[:16], block[16*(i%4):])
		f[15] &= 0x3f // below 2^126, as lanes wants
		if _, err := z.SetCanonicalBytes(f[:]); err != nil {
			return false
		}
		x := &scalars[i]
		sum.Add(&sum, t.Mul(&z, &x.s))
		terms[i].Z, terms[i].H = z.ToRadix16(), t.Mul(&z, &x.h).ToRadix16()
	}
	b := sum.ToRadix16()
	return lanes.Zero(&b, terms)
}
