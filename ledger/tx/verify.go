// SPDX-License-Identifier: Apache-2.0

package tx

import (
	"crypto/sha256"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/keys"
)

// Verified is a transaction whose encoding, fields and signatures were checked.
// Only Verify and VerifyBatch make one; the zero value is not valid. It is
// immutable: callers must not change what its methods return.
type Verified struct {
	id   ID
	body *Body
	auth *keys.Auth
	sigs int
	raw  []byte
}

// ID returns the transaction id.
func (v Verified) ID() ID { return v.id }

// Body returns the body.
func (v Verified) Body() *Body { return v.body }

// Auth returns the sender's revealed Auth.
func (v Verified) Auth() *keys.Auth { return v.auth }

// Bytes returns the canonical bytes of the signed transaction.
func (v Verified) Bytes() []byte { return v.raw }

// IsZero reports whether v was made by no Verify.
func (v Verified) IsZero() bool { return v.body == nil }

// Weights of FEE-01 apart from the kind's own.
const (
	weightByte  = 4
	weightSig   = 200
	weightWrite = 600
)

// Weight is the cost of the transaction in units of about 0.1 µs:
// kindWeight + 4·bytes + 200·signatures + 600·writes + extra. Spec: FEE-01.
func (v Verified) Weight(kindWeight uint64) uint64 {
	w := kindWeight + weightByte*uint64(len(v.raw)) + weightSig*uint64(v.sigs)
	w += weightWrite * v.body.Payload.Writes()
	if x, ok := v.body.Payload.(interface{ Extra() uint64 }); ok {
		w += x.Extra()
	}
	return w
}

// Verify checks the fields and the signatures of s for one chain (TXN-02). Cost:
// one signature check per signature, about 45 µs each. Errors: *Error of the
// enc family (ErrInvalid), TxReveal, TxSponsor or TxDelegate.
func Verify(chainID [32]byte, s Signed) (Verified, error) {
	v, msg, err := newPrefixes(chainID).check(s, s.Encode())
	if err != nil {
		return Verified{}, err
	}
	for _, g := range s.Sigs {
		if !keys.Verify(s.Reveal.Keys[g.KeyIndex], msg, g.Sig) {
			return Verified{}, Errorf(EncSig, "key %d", g.KeyIndex)
		}
	}
	return v, nil
}

// VerifyBatch is Verify for many transactions, about 2.5 times as fast per
// signature. Results and errors have the order and length of list; the verdicts
// equal Verify's.
func VerifyBatch(chainID [32]byte, list []Signed) ([]Verified, []error) {
	b := newBatch(chainID, len(list))
	for i := range list {
		b.add(i, list[i], list[i].Encode())
	}
	return b.verify()
}

// VerifyRaw is Decode and VerifyBatch in one. It keeps each of raws, which must
// not change afterwards. Errors: those of Decode and Verify.
func VerifyRaw(chainID [32]byte, raws [][]byte) ([]Verified, []error) {
	b := newBatch(chainID, len(raws))
	for i, raw := range raws {
		s, err := Decode(raw)
		if err != nil {
			b.errs[i] = err
			continue
		}
		b.add(i, s, raw)
	}
	return b.verify()
}

// batch is a list of transactions under verification.
type batch struct {
	prefixes
	out   []Verified
	errs  []error
	sigs  keys.BatchVerifier
	owner []int // transaction of each queued signature
}

func newBatch(chainID [32]byte, n int) *batch {
	return &batch{prefixes: newPrefixes(chainID), out: make([]Verified, n), errs: make([]error, n), owner: make([]int, 0, n)}
}

// add checks all but the signatures of transaction i and queues these.
func (b *batch) add(i int, s Signed, raw []byte) {
	v, msg, err := b.check(s, raw)
	if err != nil {
		b.errs[i] = err
		return
	}
	b.out[i] = v
	for _, g := range s.Sigs {
		b.sigs.Add(s.Reveal.Keys[g.KeyIndex], msg, g.Sig)
		b.owner = append(b.owner, i)
	}
}

func (b *batch) verify() ([]Verified, []error) {
	if len(b.owner) == 0 {
		return b.out, b.errs
	}
	for j, ok := range b.sigs.Verify() {
		if i := b.owner[j]; !ok {
			b.out[i], b.errs[i] = Verified{}, Errorf(EncSig, "a signature is wrong")
		}
	}
	return b.out, b.errs
}

// prefixes are what stands before a body where its id and its signatures are
// hashed.
type prefixes struct{ id, sign []byte }

func newPrefixes(chainID [32]byte) prefixes {
	return prefixes{prefix(keys.DomainTxID, chainID), prefix(keys.DomainTx, chainID)}
}

// prefix is keys.Dom(d, chainID, body) without the body, which is encoded already:
// the encoding of the same list with a one-byte last element, that byte cut off.
func prefix(d keys.Domain, chainID [32]byte) []byte {
	p := keys.Dom(d, chainID, uint64(0))
	return p[: len(p)-1 : len(p)-1]
}

// check does everything but the signatures and returns the bytes they cover. raw
// is the canonical encoding of s.
func (p prefixes) check(s Signed, raw []byte) (Verified, []byte, error) {
	if err := checkEnvelope(s); err != nil {
		return Verified{}, nil, err
	}
	if err := s.Body.Payload.Check(); err != nil {
		return Verified{}, nil, err
	}
	if len(raw) > MaxBytes {
		return Verified{}, nil, Errorf(EncSize, "%d bytes, at most %d", len(raw), MaxBytes)
	}
	body := bodyOf(raw, s)
	v := Verified{
		id:   ID(sha256.Sum256(append(p.id, body...))),
		body: &s.Body,
		auth: s.Reveal,
		sigs: len(s.Sigs),
		raw:  raw,
	}
	return v, append(p.sign, body...), nil
}

func checkEnvelope(s Signed) error {
	b := &s.Body
	switch {
	case s.Format != format:
		return Errorf(EncField, "format %d", s.Format)
	case b.Payload == nil || b.Kind != b.Payload.Kind():
		return Errorf(EncKind, "kind and payload differ")
	case b.Sponsor != nil:
		return Errorf(TxSponsor, "sponsor %v", *b.Sponsor)
	case b.Tip > b.MaxFee:
		return Errorf(EncField, "tip %d above max_fee %d", b.Tip, b.MaxFee)
	case s.Reveal == nil:
		return Errorf(TxReveal, "reveal is null")
	}
	if err := s.Reveal.Check(); err != nil {
		return Errorf(EncField, "%v", err)
	}
	if err := checkKeys(s.Reveal); err != nil { // anybody can sign for a key of small order
		return Errorf(EncSig, "%v", err)
	}
	if s.Reveal.Address() != b.Sender {
		return Errorf(EncSig, "the revealed keys are not those of the sender")
	}
	if len(s.Sigs) != s.Reveal.Need() {
		return Errorf(EncSig, "%d signatures, want %d", len(s.Sigs), s.Reveal.Need())
	}
	for i, g := range s.Sigs {
		switch {
		case g.Role == RoleSponsor:
			return Errorf(TxSponsor, "signature %d", i)
		case g.Role == RoleDelegate:
			return Errorf(TxDelegate, "signature %d", i)
		case g.Role != RoleSender:
			return Errorf(EncField, "role %d", g.Role)
		case g.KeyIndex >= uint64(len(s.Reveal.Keys)):
			return Errorf(EncField, "key index %d of %d", g.KeyIndex, len(s.Reveal.Keys))
		case i > 0 && g.KeyIndex <= s.Sigs[i-1].KeyIndex:
			return Errorf(EncOrder, "signatures by key index")
		}
	}
	return nil
}

// checkKeys is Auth.CheckKeys; a single key signs, which proves half of it.
func checkKeys(a *keys.Auth) error {
	if a.Threshold == 0 {
		return a.Keys[0].CheckSigner()
	}
	return a.CheckKeys()
}

// singleAuthLen is the length of an encoded Auth of one key: two bytes, then the
// key as a byte string.
const singleAuthLen = 2 + 2 + 32

// bodyOf cuts the body out of the canonical bytes of s: they are two bytes, the
// body, the Auth, and per signature 69 bytes after a one-byte head (at most 16
// signatures, indices below 16).
func bodyOf(raw []byte, s Signed) []byte {
	auth := singleAuthLen
	if s.Reveal.Threshold != 0 {
		auth = len(enc.Encode(s.Reveal))
	}
	tail := auth + 1 + 69*len(s.Sigs)
	return raw[2 : len(raw)-tail]
}
