// SPDX-License-Identifier: Apache-2.0

package vrf

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/openledger/openledger/internal/keys"
)

func filled(b byte) (out [32]byte) {
	for i := range out {
		out[i] = b
	}
	return out
}

// order is l, the order of ristretto255.
var order, _ = new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)

// plusOrder returns the other 32 bytes that stand for the same scalar.
func plusOrder(scalar []byte) []byte {
	be := slices.Clone(scalar)
	slices.Reverse(be)
	out := new(big.Int).Add(new(big.Int).SetBytes(be), order).FillBytes(make([]byte, 32))
	slices.Reverse(out)
	return out
}

// negative returns the encoding of a point with its coordinate negated.
func negative(point []byte) []byte {
	be := slices.Clone(point)
	slices.Reverse(be)
	p := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	out := p.Sub(p, new(big.Int).SetBytes(be)).FillBytes(make([]byte, 32))
	slices.Reverse(out)
	return out
}

func TestCONS34ProofsHold(t *testing.T) {
	for i, alpha := range [][]byte{nil, {}, []byte("alpha"), bytes.Repeat([]byte{7}, 1000)} {
		key := NewKey(filled(byte(i)))
		if err := key.Public().Check(); err != nil {
			t.Fatal(err)
		}
		before := slices.Clone(alpha)
		proof, beta := key.Prove(alpha)
		got, err := Verify(key.Public(), alpha, proof[:])
		if err != nil || got != beta || beta == [32]byte{} {
			t.Errorf("alpha %d: %x, %v; proven %x", i, got, err, beta)
		}
		again, same := key.Prove(alpha)
		if again != proof || same != beta {
			t.Errorf("alpha %d: a second proof differs", i)
		}
		if !bytes.Equal(before, alpha) {
			t.Errorf("alpha %d was written to", i)
		}
	}
}

// TestCONS34WrongProofsAreRefused changes one thing at a time.
func TestCONS34WrongProofsAreRefused(t *testing.T) {
	key, other, alpha := NewKey(filled(1)), NewKey(filled(2)), []byte("alpha")
	proof, _ := key.Prove(alpha)
	theirs, _ := other.Prove(alpha)
	with := func(at int, b []byte) []byte { return slices.Concat(proof[:at], b, proof[at+len(b):]) }
	for name, c := range map[string]struct {
		pk    PublicKey
		alpha []byte
		proof []byte
		want  error
	}{
		"another key":                {other.Public(), alpha, proof[:], ErrProof},
		"another input":              {key.Public(), []byte("beta"), proof[:], ErrProof},
		"the empty input":            {key.Public(), nil, proof[:], ErrProof},
		"another's proof":            {key.Public(), alpha, theirs[:], ErrProof},
		"another's point":            {key.Public(), alpha, with(0, theirs[:32]), ErrProof},
		"another's challenge":        {key.Public(), alpha, with(32, theirs[32:64]), ErrProof},
		"another's response":         {key.Public(), alpha, with(64, theirs[64:]), ErrProof},
		"no bytes":                   {key.Public(), alpha, nil, ErrProof},
		"a byte short":               {key.Public(), alpha, proof[:95], ErrProof},
		"a byte long":                {key.Public(), alpha, append(proof[:96:96], 0), ErrProof},
		"point of the identity":      {key.Public(), alpha, with(0, make([]byte, 32)), ErrProof},
		"all zero":                   {key.Public(), alpha, make([]byte, 96), ErrProof},
		"point with the sign turned": {key.Public(), alpha, with(0, negative(proof[:32])), ErrProof},
		"point above the field":      {key.Public(), alpha, with(0, bytes.Repeat([]byte{0xff}, 32)), ErrProof},
		"challenge plus the order":   {key.Public(), alpha, with(32, plusOrder(proof[32:64])), ErrProof},
		"response plus the order":    {key.Public(), alpha, with(64, plusOrder(proof[64:])), ErrProof},
		"key of the identity":        {PublicKey{}, alpha, proof[:], ErrKey},
		"key that is no point":       {PublicKey(filled(0xff)), alpha, proof[:], ErrKey},
	} {
		if beta, err := Verify(c.pk, c.alpha, c.proof); !errors.Is(err, c.want) || beta != [32]byte{} {
			t.Errorf("%s: %x, %v", name, beta, err)
		}
	}
}

// TestCONS34EveryBitCounts flips each bit of a proof and of a key in turn.
func TestCONS34EveryBitCounts(t *testing.T) {
	key, alpha := NewKey(filled(3)), []byte("alpha")
	proof, _ := key.Prove(alpha)
	for bit := 0; bit < 8*ProofSize; bit += 5 {
		p := proof
		p[bit/8] ^= 1 << (bit % 8)
		if _, err := Verify(key.Public(), alpha, p[:]); !errors.Is(err, ErrProof) {
			t.Errorf("bit %d of the proof: %v", bit, err)
		}
	}
	for bit := 0; bit < 8*PublicKeySize; bit += 5 {
		pk := key.Public()
		pk[bit/8] ^= 1 << (bit % 8)
		if _, err := Verify(pk, alpha, proof[:]); !errors.Is(err, ErrProof) && !errors.Is(err, ErrKey) {
			t.Errorf("bit %d of the key: %v", bit, err)
		}
	}
}

// TestCONS34OneOutputPerKeyAndInput lets the holder of a key prove with another
// nonce: the proof is another, the output is not.
func TestCONS34OneOutputPerKeyAndInput(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := NewKey([32]byte(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "seed")))
		alpha := rapid.SliceOf(rapid.Byte()).Draw(t, "alpha")
		proof, beta := key.Prove(alpha)
		s := key.k()
		forged := s.prove(alpha, curve.HashToScalar(alpha, []byte("another nonce")))
		got, err := Verify(key.Public(), alpha, forged[:])
		if err != nil || got != beta || forged == proof {
			t.Fatalf("%x, %v, same proof: %v", got, err, forged == proof)
		}
		// A point of another scalar cannot be proven, though the prover tries.
		liar := *s
		liar.x = curve.NewScalar().Add(s.x, curve.NewScalar().SetUint64(1))
		lie := liar.prove(alpha, curve.HashToScalar(alpha, []byte("another nonce")))
		if _, err := Verify(key.Public(), alpha, lie[:]); !errors.Is(err, ErrProof) {
			t.Fatalf("a wrong point: %v", err)
		}
	})
}

func TestCONS34OutputsDiffer(t *testing.T) {
	seen := map[[32]byte]string{}
	for k := range 3 {
		for _, alpha := range []string{"", "a", "b", "ab"} {
			_, beta := NewKey(filled(byte(k))).Prove([]byte(alpha))
			name := fmt.Sprint(k, alpha)
			if old, twice := seen[beta]; twice {
				t.Errorf("%s and %s have one output", name, old)
			}
			seen[beta] = name
		}
	}
}

func TestDerivedKeysAreTheirOwn(t *testing.T) {
	vote := keys.FromSeed(filled(1))
	d := Derive(vote)
	if d.IsZero() || !(PrivateKey{}).IsZero() {
		t.Error("IsZero is wrong")
	}
	if d.Public() == NewKey(filled(1)).Public() || d.Public() == Derive(keys.FromSeed(filled(2))).Public() {
		t.Error("different secrets give one key")
	}
	if d.Public() != Derive(vote).Public() {
		t.Error("one secret gives two keys")
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	key := NewKey(filled(1))
	secret := fmt.Sprintf("%x", key.k().raw)
	holder := struct {
		Name string
		key  *PrivateKey
	}{"node", &key}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		for _, v := range []any{key, &key, holder} {
			if text := fmt.Sprintf(verb, v); strings.Contains(text, secret) || strings.Contains(text, fmt.Sprint(key.k().raw)) {
				t.Errorf("%s prints the secret: %s", verb, text)
			}
		}
		if text := fmt.Sprintf(verb, key); text != "[redacted]" {
			t.Errorf("%s prints %s", verb, text)
		}
	}
}

func TestPublicKeyText(t *testing.T) {
	pk := NewKey(filled(1)).Public()
	var back PublicKey
	if err := back.UnmarshalText([]byte(pk.String())); err != nil || back != pk {
		t.Errorf("%v, %v", back, err)
	}
	for _, bad := range []string{"", "0x", pk.String()[2:], strings.ToUpper(pk.String()), pk.String() + "00"} {
		if err := back.UnmarshalText([]byte(bad)); !errors.Is(err, keys.ErrKey) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	key := NewKey(filled(1))
	pk := key.Public()
	proof, _ := key.Prove([]byte("alpha"))
	f.Add(pk[:], []byte("alpha"), proof[:])
	f.Add(make([]byte, 32), []byte{}, make([]byte, 96))
	f.Fuzz(func(t *testing.T, pk, alpha, proof []byte) {
		if len(pk) != PublicKeySize {
			return
		}
		beta, err := Verify(PublicKey(pk), alpha, proof)
		if err != nil {
			if !errors.Is(err, ErrKey) && !errors.Is(err, ErrProof) {
				t.Fatal(err)
			}
			return
		}
		// What holds is made of canonical parts: nothing else encodes them.
		x, _ := PublicKey(pk).point()
		if !bytes.Equal(bytesOf(x), pk) || beta != output(proof[:32]) {
			t.Fatalf("%x has another encoding", pk)
		}
	})
}

func BenchmarkProve(b *testing.B) {
	key, alpha := NewKey(filled(1)), bytes.Repeat([]byte{1}, 100)
	for b.Loop() {
		key.Prove(alpha)
	}
}

func BenchmarkVerify(b *testing.B) {
	key, alpha := NewKey(filled(1)), bytes.Repeat([]byte{1}, 100)
	proof, _ := key.Prove(alpha)
	for b.Loop() {
		if _, err := Verify(key.Public(), alpha, proof[:]); err != nil {
			b.Fatal(err)
		}
	}
}
