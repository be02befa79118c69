// SPDX-License-Identifier: Apache-2.0

package proof

import (
	"encoding/json"
	"errors"
	"math/rand"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/openledger/openledger/consensus/valset"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/merkle"
	"github.com/openledger/openledger/ledger/econ"
	"github.com/openledger/openledger/ledger/receipt"
	"github.com/openledger/openledger/ledger/state"
)

func TestSTA05StateStatements(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		name string
		edit func(s *State, t *Trust)
		want string // part of the error, "" for none
	}{
		{"a value under a header and a set is proven", func(*State, *Trust) {}, ""},
		{"an absent key is proven", func(s *State, _ *Trust) { s.Proof = w.prove(t, state.AccountKey(owner(99))) }, ""},
		{"a header hash alone is enough", func(_ *State, t *Trust) { t.Set = [32]byte{} }, ""},
		{"a set hash alone is enough", func(_ *State, t *Trust) { t.Header = [32]byte{} }, ""},
		{"no trust proves nothing", func(_ *State, t *Trust) { *t = Trust{ChainID: t.ChainID} }, "nothing to trust"},
		{"another header is refused", func(_ *State, t *Trust) { t.Header[0]++ }, "header hash: differs"},
		{"another set is refused", func(_ *State, t *Trust) { t.Set[0]++ }, "validator set hash: differs"},
		{"another chain is refused", func(_ *State, t *Trust) { t.ChainID[0]++ }, "chain: differs"},
		{"a set that signs itself is refused", func(s *State, t *Trust) { s.Anchor.Set, t.Header = foreignSet(), [32]byte{} }, "certificate"},
		{"a header without its child is refused", func(s *State, _ *Trust) { s.Anchor.Final.Headers = nil }, "certificate"},
		{"a certificate short of a quorum is refused", func(s *State, _ *Trust) {
			f := &s.Anchor.Final.Finalization
			f.Signers, f.Sigs = []byte{0b0011}, f.Sigs[:128]
		}, "quorum"},
		{"a changed time is refused", func(s *State, _ *Trust) { s.Anchor.Header.TimeMS++ }, "certificate"},
		{"a changed state root is refused", func(s *State, _ *Trust) { s.Anchor.Header.StateRoot[0]++ }, "certificate"},
		{"a changed value is refused", func(s *State, _ *Trust) { v := enc.Encode(state.Account{Free: 1 << 40}); s.Proof.Value = &v }, "state proof"},
		{"a value passed off as absent is refused", func(s *State, _ *Trust) { s.Proof.Value = nil }, "state proof"},
		{"a header of height 0 is refused", func(s *State, _ *Trust) { s.Anchor.Header.Height = 0 }, "header"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, trust := NewState(w.anchor, w.prove(t, state.AccountKey(owner(5)))), w.trust()
			c.edit(&s, &trust)
			r, err := s.Verify(trust)
			verdict(t, r, err, c.want)
		})
	}
}

func foreignSet() []byte {
	s, err := valset.New(1, []valset.Entry{{Address: owner(1), Key: keys.FromSeed([32]byte{9}).Public(), Power: 1}})
	if err != nil {
		panic(err)
	}
	return s.Encode()
}

func verdict(t *testing.T, r Report, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Fatalf("refused: %v", err)
	case want == "" && len(r.Passed) < 2:
		t.Fatalf("only %v", r.Passed)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Fatalf("got %v, want %q", err, want)
	case want != "" && !errors.Is(err, ErrFalse) && !errors.Is(err, ErrTrust):
		t.Fatalf("got %v, want ErrFalse", err)
	}
}

func TestReceiptStatements(t *testing.T) {
	w := newWorld(t)
	other := keys.FromSeed([32]byte{8})
	for _, c := range []struct {
		name string
		edit func(s *Receipt, t *Trust)
		want string
	}{
		{"a receipt with state proofs is proven", func(*Receipt, *Trust) {}, ""},
		{"a changed response is refused", func(s *Receipt, _ *Trust) { s.Signed.Receipt.RespCommit[31] ^= 1 }, "not signed by the operator"},
		{"a changed weight is refused", func(s *Receipt, _ *Trust) {
			s.Signed.Receipt.Attr = slices.Clone(s.Signed.Receipt.Attr)
			s.Signed.Receipt.Attr[0].Weight--
		}, "not signed by the operator"},
		{"a receipt of another chain is refused", func(s *Receipt, _ *Trust) { s.ChainID[0]++ }, "chain: differs"},
		{"a header of another chain is refused", func(s *Receipt, t *Trust) {
			s.ChainID[0]++
			s.Signed = receipt.Sign(w.operator, s.ChainID, s.Signed.Receipt)
			t.ChainID = [32]byte{}
		}, "the header is of another chain"},
		{"another operator's receipt is refused", func(s *Receipt, _ *Trust) { s.Signed = receipt.Sign(other, w.chainID, s.Signed.Receipt) }, "another operator or model"},
		{"another price is refused", func(s *Receipt, _ *Trust) {
			s.Signed.Receipt.Gross--
			s.Signed = receipt.Sign(w.operator, w.chainID, s.Signed.Receipt)
		}, "gross differs"},
		{"the proof of another offer is refused", func(s *Receipt, _ *Trust) { s.Terms.Offer = w.prove(t, state.OfferKey(state.ID{1})) }, "it is about key"},
		{"an absent offer is refused", func(s *Receipt, _ *Trust) {
			s.Signed.Receipt.Offer = state.ID{1}
			s.Signed = receipt.Sign(w.operator, w.chainID, s.Signed.Receipt)
			s.Terms.Offer = w.prove(t, state.OfferKey(state.ID{1}))
		}, "no such object"},
		{"a model proof in place of the parameters is refused", func(s *Receipt, _ *Trust) { s.Terms.Params = s.Terms.Model }, "parameters"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, trust := w.receipt(t, 1), w.trust()
			c.edit(&s, &trust)
			r, err := s.Verify(trust)
			verdict(t, r, err, c.want)
		})
	}
	bare := NewReceipt(w.chainID, w.signed[0], nil)
	if r, err := bare.Verify(Trust{}); err != nil || len(r.Open) != 2 {
		t.Errorf("a bare receipt: %+v, %v", r, err)
	}
}

func TestPAY07WhyStatements(t *testing.T) {
	w := newWorld(t)
	resign := func(p *Part, edit func(r *receipt.Receipt)) {
		edit(&p.Signed.Receipt)
		p.Signed = receipt.Sign(w.operator, w.chainID, p.Signed.Receipt)
	}
	for _, c := range []struct {
		name string
		edit func(s *Why)
		want string
	}{
		{"every term recomputed", func(*Why) {}, ""},
		{"a larger line is refused", func(s *Why) { s.Lines[1].Amount++ }, "lines sum to"},
		{"money moved between two lines is refused", func(s *Why) { s.Lines[1].Amount++; s.Lines[2].Amount-- }, "its share is"},
		{"a larger first line is refused", func(s *Why) { s.Lines[0].Amount++ }, "first or last line"},
		{"a dropped line is refused", func(s *Why) { s.Lines = slices.Delete(s.Lines, 1, 2) }, "lines shown"},
		{"no lines are refused", func(s *Why) { s.Lines = nil }, "lines shown"},
		{"a dropped receipt is refused", func(s *Why) { s.Receipts = s.Receipts[1:] }, "receipts for"},
		{"swapped receipts are refused", func(s *Why) { s.Receipts[0], s.Receipts[1] = s.Receipts[1], s.Receipts[0] }, "the line is of receipt"},
		{"a line shown twice in place of another is refused", func(s *Why) { s.Lines[1], s.Receipts[1] = s.Lines[3], s.Receipts[3] }, "out of order"},
		{"another payee is refused", func(s *Why) { s.Payee = owner(2) }, "line range"},
		{"a receipt with a flipped bit is refused", func(s *Why) { s.Receipts[1].Signed.Receipt.ReqCommit[0] ^= 1 }, "not signed by the operator"},
		{"a receipt signed again with another weight is refused", func(s *Why) {
			resign(&s.Receipts[1], func(r *receipt.Receipt) {
				r.Attr = slices.Clone(r.Attr)
				r.Attr[0].Weight--
			})
		}, "proof does not match"},
		{"a receipt of another offer is refused", func(s *Why) { resign(&s.Receipts[1], func(r *receipt.Receipt) { r.Offer[0]++ }) }, "another offer"},
		{"a proof of another object is refused", func(s *Why) { s.Commit = w.prove(t, state.OfferKey(w.offer)) }, "not that of an epoch commit"},
		{"a short key is refused", func(s *Why) { s.Commit.Key = s.Commit.Key[:1] }, "not that of an epoch commit"},
		{"an absent commit is refused", func(s *Why) { s.Commit = w.prove(t, state.CommitKey(state.ID{1})) }, "no such object"},
		{"a commit that the header does not hold is refused", func(s *Why) {
			c := w.commit
			c.Lines.Sum++
			v := enc.Encode(c)
			s.Commit.Value = &v
		}, "state proof"},
		{"a larger prefix sum is refused", func(s *Why) { s.Range.Last.Path[0].Sum++ }, "line range"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := w.why(t, owner(1))
			s.Lines = slices.Clone(s.Lines)
			c.edit(&s)
			r, err := s.Verify(w.trust())
			verdict(t, r, err, c.want)
		})
	}
}

// An operator who commits to lines that its receipts do not give is found out by
// whoever asks why, even though the trees are sound.
func TestPAY07ForgedLinesDoNotSurviveWhy(t *testing.T) {
	w := newWorld(t)
	lines := slices.Clone(w.book.Lines)
	first, last, err := w.book.Run(owner(1))
	if err != nil {
		t.Fatal(err)
	}
	lines[first].Amount, lines[last].Amount = lines[first].Amount+5, lines[last].Amount-5
	var leaves []merkle.SumLeaf
	for _, l := range lines {
		leaves = append(leaves, merkle.SumLeaf{Sum: uint64(l.Amount), Body: l.Encode()})
	}
	forged := *w.book
	forged.Lines = lines
	if forged.LineRoot, err = merkle.SumTree(leaves); err != nil {
		t.Fatal(err)
	}
	w.book, w.commit.Lines = &forged, forged.LineRoot
	w.flat[string(state.CommitKey(w.commitID))] = enc.Encode(w.commit)
	w.seal(t)
	y := w.why(t, owner(1))
	if _, err := y.Verify(w.trust()); err == nil || !strings.Contains(err.Error(), "its share is") {
		t.Fatalf("got %v", err)
	}
}

// A commit whose lines exceed the contributors' part cannot be explained.
func TestPAY07LinesAboveTheContributorsPartDoNotSurviveWhy(t *testing.T) {
	w := newWorld(t)
	w.commit.Rates = econ.Rates{Burn: 1_000, Treasury: 500, Validators: 500, Contributors: 7_000, Trainers: 3_000}
	w.flat[string(state.CommitKey(w.commitID))] = enc.Encode(w.commit)
	w.seal(t)
	y := w.why(t, owner(1))
	if _, err := y.Verify(w.trust()); err == nil || !strings.Contains(err.Error(), "its share is") {
		t.Fatalf("got %v", err)
	}
}

func statements(t testing.TB, w *world) []Statement {
	s, r, b, y := NewState(w.anchor, w.prove(t, state.AccountKey(owner(99)))), w.receipt(t, 2), NewReceipt(w.chainID, w.signed[0], nil), w.why(t, owner(2))
	return []Statement{&s, &r, &b, &y}
}

func TestStatementsRoundTripAsBytesAndText(t *testing.T) {
	w := newWorld(t)
	for _, s := range statements(t, w) {
		text, err := json.MarshalIndent(s, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range [][]byte{s.Encode(), text} {
			got, err := Open(b)
			if err != nil {
				t.Fatalf("%T: %v", s, err)
			}
			if reflect.TypeOf(got) != reflect.TypeOf(s) || string(got.Encode()) != string(s.Encode()) {
				t.Fatalf("%T came back as %T", s, got)
			}
			if _, err := got.Verify(w.trust()); err != nil {
				t.Fatalf("%T: %v", s, err)
			}
		}
	}
}

// TST-01: whatever single bit of a statement is flipped, in bytes or in text, it
// is refused. Text outside of string and number values may change its layout.
func TestTST01EveryFlippedBitIsRefused(t *testing.T) {
	w := newWorld(t)
	rng := rand.New(rand.NewSource(1))
	for _, s := range statements(t, w) {
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		for _, good := range [][]byte{s.Encode(), text} {
			for range 400 {
				bit := rng.Intn(8 * len(good))
				b := slices.Clone(good)
				b[bit/8] ^= 1 << (bit % 8)
				got, err := Open(b)
				if err == nil {
					_, err = got.Verify(w.trust())
				}
				if err == nil {
					t.Fatalf("%T: bit %d of byte %d (%q) changes nothing", s, bit%8, bit/8, good[bit/8])
				}
			}
		}
	}
}

func TestOpenNamesWhatIsWrong(t *testing.T) {
	for _, b := range []string{"", "{", "{}", `{"format":"x"}`, `{"format":"openledger/why/1"}`, `{"format":"openledger/why/1","exact":"gA=="}`,
		`{"format":"openledger/proof/1","exact":7}`, "\x80", "[]"} {
		if _, err := Open([]byte(b)); !errors.Is(err, ErrFormat) {
			t.Errorf("%q: %v", b, err)
		}
	}
}

func FuzzOpen(f *testing.F) {
	w := newWorld(f)
	for _, s := range statements(f, w) {
		f.Add(s.Encode())
	}
	f.Add([]byte(`{"format":"openledger/why/1","exact":"gA=="}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Open(b)
		if err != nil {
			return
		}
		r, err := s.Verify(w.trust())
		if err == nil && len(r.Passed) == 0 {
			t.Fatalf("%T: nothing was checked", s)
		}
	})
}
