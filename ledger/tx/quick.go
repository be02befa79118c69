// SPDX-License-Identifier: Apache-2.0

package tx

import (
	"encoding/binary"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
)

// quickTransfer reads the usual form of the most frequent transaction, a transfer
// of one key without a sponsor, about eight times as fast as the general decoder.
// It takes only canonical bytes, with the same result; false says nothing about
// the bytes.
func quickTransfer(b []byte) (s Signed, ok bool) {
	r := quick{b: b, ok: true}
	r.lead(0x84, format, 0x88, 0x19, byte(KindTransfer>>8), byte(KindTransfer&0xff))
	p := new(Transfer)
	s = Signed{Format: format, Body: Body{Kind: KindTransfer, Payload: p}, Reveal: &keys.Auth{Keys: make([]keys.PublicKey, 1)}, Sigs: make([]Sig, 1)}
	body := &s.Body
	r.fill(body.Sender[:])
	body.Nonce, body.MaxFee, body.Tip, body.ValidUntil = r.uint(), fixed.Amount(r.uint()), fixed.Amount(r.uint()), r.uint()
	r.lead(0xf6, 0x83) // no sponsor; the payload
	r.fill(p.To[:])
	p.Amount, p.Memo = fixed.Amount(r.uint()), r.bytes()
	r.lead(0x82, 0) // the Auth of one key
	r.fill(s.Reveal.Keys[0][:])
	r.lead(0x81, 0x83)
	sig := &s.Sigs[0]
	sig.Role, sig.KeyIndex = r.uint(), r.uint()
	r.fill(sig.Sig[:])
	if !r.ok || len(r.b) != 0 {
		return Signed{}, false
	}
	return s, true
}

// quick reads canonical CBOR from the front of b; ok falls with the first thing
// that is something else.
type quick struct {
	b  []byte
	ok bool
}

// take returns the next n bytes, zeros after the end.
func (r *quick) take(n int) []byte {
	if len(r.b) < n || !r.ok {
		r.ok = false
		return make([]byte, n)
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

// lead wants exactly these bytes.
func (r *quick) lead(want ...byte) {
	got := r.take(len(want))
	for i := range want {
		r.ok = r.ok && got[i] == want[i]
	}
}

// uint reads an unsigned integer in its shortest form.
func (r *quick) uint() uint64 {
	switch h := r.take(1)[0]; {
	case h < 24:
		return uint64(h)
	case h == 24:
		return r.atLeast(uint64(r.take(1)[0]), 24)
	case h == 25:
		return r.atLeast(uint64(binary.BigEndian.Uint16(r.take(2))), 1<<8)
	case h == 26:
		return r.atLeast(uint64(binary.BigEndian.Uint32(r.take(4))), 1<<16)
	case h == 27:
		return r.atLeast(binary.BigEndian.Uint64(r.take(8)), 1<<32)
	}
	r.ok = false
	return 0
}

func (r *quick) atLeast(v, least uint64) uint64 {
	r.ok = r.ok && v >= least
	return v
}

// fill reads a byte string of the length of dst, 24 to 255, into dst.
func (r *quick) fill(dst []byte) {
	r.lead(0x58, byte(len(dst)))
	copy(dst, r.take(len(dst)))
}

// bytes reads a byte string of up to 255 bytes, fresh memory.
func (r *quick) bytes() []byte {
	n := int(r.take(1)[0]) - 0x40
	if n == 24 {
		n = int(r.atLeast(uint64(r.take(1)[0]), 24))
	} else if n < 0 || n > 24 {
		r.ok = false
		return nil
	}
	return append([]byte{}, r.take(n)...)
}
