// SPDX-License-Identifier: Apache-2.0

package tx

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/keys"
)

// badSigned is a signed transaction that Verify refuses.
type badSigned struct {
	name string
	s    Signed
	code Code
}

// threshold signs the first vector's body by keys of a 2-of-3 Auth.
func threshold(signers ...uint64) Signed {
	var list []keys.PrivateKey
	for i := range byte(3) {
		list = append(list, keys.FromSeed(repeat(0x40+i)))
	}
	slices.SortFunc(list, func(a, b keys.PrivateKey) int {
		x, y := a.Public(), b.Public()
		return bytes.Compare(x[:], y[:])
	})
	auth := keys.Auth{Threshold: 2}
	for _, k := range list {
		auth.Keys = append(auth.Keys, k.Public())
	}
	s := firstVector()
	s.Body.Sender, s.Reveal, s.Sigs = auth.Address(), &auth, nil
	for _, i := range signers {
		s.Sigs = append(s.Sigs, Sig{KeyIndex: i, Sig: list[i%3].Sign(s.Body.SigningBytes(testChain))})
	}
	return s
}

func badEnvelopes() []badSigned {
	change := func(name string, code Code, f func(s *Signed)) badSigned {
		s := firstVector()
		f(&s)
		return badSigned{name, s, code}
	}
	other := keys.SingleAuth(keys.FromSeed(repeat(9)).Public())
	sponsor := testAddr(5)
	return []badSigned{
		change("format 2", EncField, func(s *Signed) { s.Format = 2 }),
		change("kind of another payload", EncKind, func(s *Signed) { s.Body.Kind = KindFaucetDrip }),
		change("a sponsor", TxSponsor, func(s *Signed) { s.Body.Sponsor = &sponsor }),
		change("a tip above max_fee", EncField, func(s *Signed) { s.Body.Tip = s.Body.MaxFee + 1 }),
		change("no reveal", TxReveal, func(s *Signed) { s.Reveal = nil }),
		change("keys of another account", EncSig, func(s *Signed) { s.Reveal = &other }),
		change("another sender", EncSig, func(s *Signed) { s.Body.Sender = testAddr(3) }),
		change("no signature", EncSig, func(s *Signed) { s.Sigs = nil }),
		change("two signatures for one key", EncSig, func(s *Signed) { s.Sigs = append(s.Sigs, s.Sigs[0]) }),
		change("a flipped bit in the signature", EncSig, func(s *Signed) { s.Sigs[0].Sig[0] ^= 1 }),
		change("a signature with S above the group order", EncSig, func(s *Signed) { s.Sigs[0].Sig[63] = 0xff }),
		change("a changed nonce", EncSig, func(s *Signed) { s.Body.Nonce++ }),
		change("a changed amount", EncSig, func(s *Signed) { s.Body.Payload.(*Transfer).Amount++ }),
		change("a sponsor's signature", TxSponsor, func(s *Signed) { s.Sigs[0].Role = RoleSponsor }),
		change("a delegate's signature", TxDelegate, func(s *Signed) { s.Sigs[0].Role = RoleDelegate }),
		change("an unknown role", EncField, func(s *Signed) { s.Sigs[0].Role = 3 }),
		change("a key index outside the Auth", EncField, func(s *Signed) { s.Sigs[0].KeyIndex = 1 }),
		change("a key of small order", EncSig, func(s *Signed) {
			auth := keys.SingleAuth(keys.PublicKey{1}) // the identity: R = identity and S = 0 verify under ZIP-215
			s.Reveal, s.Body.Sender = &auth, auth.Address()
			s.Sigs[0].Sig = keys.Signature{0: 1}
		}),
		{"one signature of two", threshold(1), EncSig},
		{"three signatures of two", threshold(0, 1, 2), EncSig},
		{"signatures out of order", threshold(2, 1), EncOrder},
		{"one key twice", threshold(1, 1), EncOrder},
		{"a threshold signature by a stranger", func() Signed {
			s := threshold(0, 2)
			s.Sigs[1].Sig = firstVector().Sigs[0].Sig
			return s
		}(), EncSig},
	}
}

func TestTXN02EnvelopeRefusals(t *testing.T) {
	for _, b := range badEnvelopes() {
		t.Run(b.name, func(t *testing.T) {
			if _, err := Verify(testChain, b.s); !errors.Is(err, b.code) {
				t.Errorf("Verify: %v, want %v", err, b.code)
			}
			good := firstVector()
			vs, errs := VerifyBatch(testChain, []Signed{good, b.s, good})
			if !errors.Is(errs[1], b.code) || !vs[1].IsZero() {
				t.Errorf("VerifyBatch: %v", errs[1])
			}
			if errs[0] != nil || errs[2] != nil || vs[0].IsZero() || vs[2].ID() != vs[0].ID() {
				t.Errorf("neighbours: %v, %v", errs[0], errs[2])
			}
		})
	}
}

func TestAThresholdAccountSigns(t *testing.T) {
	for _, signers := range [][]uint64{{0, 1}, {0, 2}, {1, 2}} {
		s, err := Decode(threshold(signers...).Encode())
		if err != nil {
			t.Fatal(err)
		}
		v, err := Verify(testChain, s)
		if err != nil {
			t.Errorf("keys %v: %v", signers, err)
		}
		if w, one := v.Weight(0), 4*uint64(len(v.Bytes()))+2*600; w != one+2*200 {
			t.Errorf("weight %d", w)
		}
		if got := bodyOf(v.Bytes(), s); !bytes.Equal(got, enc.Encode(s.Body)) {
			t.Errorf("cut body %x", got)
		}
	}
}

func TestASignatureIsForOneChain(t *testing.T) {
	if _, err := Verify(repeat(0x12), firstVector()); !errors.Is(err, EncSig) {
		t.Errorf("%v", err)
	}
}

func TestTheIDDoesNotDependOnSignatures(t *testing.T) {
	a, errA := Verify(testChain, threshold(0, 1))
	b, errB := Verify(testChain, threshold(1, 2))
	if errA != nil || errB != nil || a.ID() != b.ID() {
		t.Errorf("%v, %v, %v, %v", a.ID(), b.ID(), errA, errB)
	}
}

func TestObjectIDsDiffer(t *testing.T) {
	seen := map[ID]bool{}
	for _, txid := range []ID{id(1), id(2)} {
		for _, k := range Kinds {
			for i := range uint64(2) {
				seen[ObjectID(txid, k.Kind, i)] = true
			}
		}
	}
	if want := 2 * len(Kinds) * 2; len(seen) != want {
		t.Errorf("%d ids, want %d", len(seen), want)
	}
}

// badRaw is bytes that Decode refuses.
type badRaw struct {
	name string
	raw  []byte
	code Code
}

func badBytes() []badRaw {
	raw := firstVector().Encode()
	replace := func(at int, with ...byte) []byte {
		b := bytes.Clone(raw)
		copy(b[at:], with)
		return b
	}
	splice := func(at, drop int, with ...byte) []byte {
		return append(append(bytes.Clone(raw[:at]), with...), raw[at+drop:]...)
	}
	// 84 01 88 19 01 01 58 20 <32> 00 19 4e 20 00 18 64 f6 83 58 20 <32> 1a <4> 40 82 00 58 20 <32> 81 83 00 00 58 40 <64>
	nonce := 2 + 1 + 3 + 34
	return []badRaw{
		{"nothing", nil, EncNonCanonical},
		{"an array of 3", replace(0, 0x83), EncNonCanonical},
		{"format 2", replace(1, 2), EncNonCanonical},
		{"an indefinite array", splice(0, 1, 0x9f), EncNonCanonical},
		{"an unknown kind", replace(4, 0xff, 0xff), EncKind},
		{"the number of a kind that is not built", replace(4, 0x01, 0x02), EncKind},
		{"a payload of another kind", replace(4, 0x01, 0x04), EncNonCanonical},
		{"a trailing byte", append(bytes.Clone(raw), 0), EncNonCanonical},
		{"the last byte missing", raw[:len(raw)-1], EncNonCanonical},
		{"cut after the kind", raw[:6], EncNonCanonical},
		{"a nonce of two bytes where one does", splice(nonce, 1, 0x18, 0x00), EncNonCanonical},
		{"null for the nonce", splice(nonce, 1, 0xf6), EncNonCanonical},
		{"a negative nonce", splice(nonce, 1, 0x20), EncNonCanonical},
		{"a float for the nonce", splice(nonce, 1, 0xf9, 0x3c, 0x00), EncNonCanonical},
		{"a tag around the nonce", splice(nonce, 1, 0xc1, 0x00), EncNonCanonical},
		{"a bignum for the nonce", splice(nonce, 1, 0xc2, 0x41, 0x01), EncNonCanonical},
		{"text for the nonce", splice(nonce, 1, 0x60), EncNonCanonical},
		{"a short sender", append(append(bytes.Clone(raw[:6]), 0x58, 0x1f), raw[9:]...), EncNonCanonical},
		{"a long sender", append(append(bytes.Clone(raw[:6]), 0x58, 0x21, 0x00), raw[8:]...), EncNonCanonical},
		{"a map for the payload", replace(nonce+9, 0xa0), EncNonCanonical},
		{"null for the payload", append(bytes.Clone(raw[:nonce+8]), append([]byte{0xf6}, raw[2+87:]...)...), EncNonCanonical},
		{"an Auth of another kind", replace(2+87+1, 0x02), EncNonCanonical},
		{"more than 64 KiB", make([]byte, MaxBytes+1), EncSize},
	}
}

func TestTXN02DecodeRefusals(t *testing.T) {
	for _, b := range badBytes() {
		_, err := Decode(b.raw)
		if !errors.Is(err, b.code) || !errors.Is(err, ErrInvalid) || errors.Is(err, ErrFuture) {
			t.Errorf("%s: %v, want %v", b.name, err, b.code)
		}
	}
}

func TestCodesAreStable(t *testing.T) {
	last := OK
	for _, c := range Codes {
		if c.Code <= last {
			t.Errorf("%s is out of order", c.Name)
		}
		last = c.Code
		if c.Code.String() != c.Name || c.Code.Text() == "" || !errors.Is(Errorf(c.Code, "x"), c.Code) {
			t.Errorf("%s", c.Name)
		}
	}
	for _, c := range []struct {
		code Code
		n    uint16
		name string
	}{{OK, 0, "ok"}, {EncNonCanonical, 1001, "enc_noncanonical"}, {TxNonceLow, 1101, "tx_nonce_low"}, {TxInvariant, 1109, "tx_invariant"},
		{TxNonceGap, 1201, "tx_nonce_gap"}, {ObjUnknown, 2001, "obj_unknown"}, {StkBondLow, 2101, "stk_bond_low"}, {DatDuplicate, 2202, "dat_duplicate"},
		{LicTerms, 2403, "lic_terms"}, {TskCommitHash, 2506, "tsk_commit_hash"}, {ChnWindow, 2607, "chn_window"}, {RcpClaimed, 2705, "rcp_claimed"},
		{PoaParamsSize, 3005, "poa_params_size"}, {4000, 4000, "code_4000"}} {
		if uint16(c.code) != c.n || c.code.String() != c.name {
			t.Errorf("%d %s", c.code, c.code.String())
		}
	}
	if CodeOf(nil) != OK || CodeOf(errors.New("x")) != EncField {
		t.Error("CodeOf")
	}
}

func TestKindNamesRoundTrip(t *testing.T) {
	for _, k := range Kinds {
		got, err := ParseKind(k.Kind.String())
		if err != nil || got != k.Kind || k.Kind.String() != k.Name {
			t.Errorf("%v: %v", k.Name, err)
		}
	}
	if _, err := ParseKind("Nothing"); !errors.Is(err, EncKind) {
		t.Error(err)
	}
}
