// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/merkle"
	"github.com/openledger/openledger/ledger/econ"
)

var update = flag.Bool("update", false, "write the golden vectors instead of checking them")

const vectorFile = "../../docs/spec/vectors/receipt.json"

// vectorCode maps this package's refusals to the ledger's stable codes.
func vectorCode(err error) string {
	for _, c := range []struct {
		err  error
		code string
	}{
		{enc.ErrMalformed, "enc_noncanonical"}, {enc.ErrNonCanonical, "enc_noncanonical"}, {ErrFormat, "enc_field"},
		{ErrSignature, "enc_sig"}, {ErrPrice, "rcp_sum"}, {ErrBook, "rcp_sum"}, {ErrRange, "rcp_range"},
		{merkle.ErrShape, "rcp_range"}, {merkle.ErrRoot, "rcp_range"}, {merkle.ErrIndex, "rcp_range"}, {merkle.ErrSum, "rcp_range"},
	} {
		if errors.Is(err, c.err) {
			return c.code
		}
	}
	return ""
}

type receiptVector struct {
	Name    string         `json:"name"`
	Bytes   string         `json:"bytes"`             // encoding of the signed receipt
	Signed  string         `json:"signed,omitempty"`  // the bytes under the signature
	Leaf    string         `json:"leaf,omitempty"`    // the bytes in the receipt tree
	Receipt *SignedReceipt `json:"receipt,omitempty"` // what the bytes mean
	Shares  []fixed.Amount `json:"shares,omitempty"`  // of the owners in Attr
	Left    *fixed.Amount  `json:"left,omitempty"`    // to the treasury
	Code    string         `json:"code,omitempty"`
}

type rootVector struct {
	Hash  ID     `json:"hash"`
	Sum   uint64 `json:"sum"`
	Count uint64 `json:"count"`
}

type claimVector struct {
	Name   string        `json:"name"`
	Payee  keys.Address  `json:"payee"`
	First  uint64        `json:"first"`
	Last   uint64        `json:"last"`
	Proof  string        `json:"proof"` // encoding of the range proof
	Amount *fixed.Amount `json:"amount,omitempty"`
	Code   string        `json:"code,omitempty"`
}

type vectorSet struct {
	About        string          `json:"about"`
	OperatorSeed string          `json:"operator_seed"`
	Operator     keys.Address    `json:"operator"`
	ChainID      ID              `json:"chain_id"`
	Price        econ.Price      `json:"price"`
	Rates        econ.Rates      `json:"rates"`
	Valid        []receiptVector `json:"valid"`
	Invalid      []receiptVector `json:"invalid"`
	Lines        []Line          `json:"lines"` // of the valid receipts
	ReceiptRoot  rootVector      `json:"receipt_root"`
	LineRoot     rootVector      `json:"line_root"`
	Claims       []claimVector   `json:"claims"`
	BadClaims    []claimVector   `json:"bad_claims"`
}

func (s *vectorSet) lineRoot() merkle.SumRoot {
	return merkle.SumRoot{Hash: s.LineRoot.Hash, Sum: s.LineRoot.Sum, Count: s.LineRoot.Count}
}

func (s *vectorSet) check(v receiptVector) (SignedReceipt, error) {
	raw, err := hex.DecodeString(v.Bytes)
	if err != nil {
		return SignedReceipt{}, err
	}
	r, err := Decode(raw)
	if err == nil {
		err = r.Verify(s.ChainID, s.Operator)
	}
	if err == nil {
		_, _, err = r.Receipt.Shares(s.Price, s.Rates)
	}
	return r, err
}

func (s *vectorSet) claim(v claimVector) (fixed.Amount, error) {
	raw, err := hex.DecodeString(v.Proof)
	if err != nil {
		return 0, err
	}
	var p RangeProof
	if err := enc.Decode(raw, &p); err != nil {
		return 0, err
	}
	return ClaimAmount(s.lineRoot(), v.Payee, v.First, v.Last, p)
}

func TestENC06ReceiptVectors(t *testing.T) {
	current, err := json.MarshalIndent(makeVectors(), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	current = append(current, '\n')
	if *update {
		if err := os.WriteFile(vectorFile, current, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(b) != string(current) {
		t.Errorf("%s is not what the code makes; if that is meant, run this test with -update", vectorFile)
	}
	var set vectorSet
	if err := json.Unmarshal(b, &set); err != nil {
		t.Fatal(err)
	}
	if len(set.Valid) < 3 || len(set.Invalid) < 15 || len(set.BadClaims) < 6 {
		t.Fatalf("%d valid, %d invalid receipts, %d bad claims", len(set.Valid), len(set.Invalid), len(set.BadClaims))
	}
	checkValid(t, &set)
	for _, v := range set.Invalid {
		if _, err := set.check(v); err == nil || vectorCode(err) != v.Code {
			t.Errorf("%s: %v, want %s", v.Name, err, v.Code)
		}
	}
	for _, v := range set.Claims {
		if got, err := set.claim(v); err != nil || got != *v.Amount {
			t.Errorf("%s: %d, %v", v.Name, got, err)
		}
	}
	for _, v := range set.BadClaims {
		if _, err := set.claim(v); err == nil || vectorCode(err) != v.Code {
			t.Errorf("%s: %v, want %s", v.Name, err, v.Code)
		}
	}
}

func checkValid(t *testing.T, set *vectorSet) {
	var list []Receipt
	for _, v := range set.Valid {
		s, err := set.check(v)
		if err != nil || !reflect.DeepEqual(s, *v.Receipt) {
			t.Fatalf("%s: %+v, %v", v.Name, s, err)
		}
		shares, left, err := s.Receipt.Shares(set.Price, set.Rates)
		if err != nil || !slices.Equal(shares, v.Shares) || left != *v.Left {
			t.Errorf("%s: shares %v left %d, %v", v.Name, shares, left, err)
		}
		if hex.EncodeToString(s.Receipt.SigningBytes(set.ChainID)) != v.Signed || hex.EncodeToString(s.Receipt.Encode()) != v.Leaf {
			t.Errorf("%s: other bytes are signed or summed", v.Name)
		}
		list = append(list, s.Receipt)
	}
	b, err := NewBook(list, set.Price, set.Rates)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(b.Lines, set.Lines) || b.LineRoot != set.lineRoot() || root(b.ReceiptRoot) != set.ReceiptRoot {
		t.Errorf("another book: %+v %+v", b.ReceiptRoot, b.LineRoot)
	}
}

func root(r merkle.SumRoot) rootVector { return rootVector{r.Hash, r.Sum, r.Count} }

func makeVectors() *vectorSet {
	key := keys.FromSeed([32]byte{31: 2})
	set := &vectorSet{
		About: "Receipts (RCP-01), their shares (PAY-01, SHR-05), the two sum trees over the valid ones (RCP-02, RCP-03) and range proofs (PAY-05). " +
			"Invalid: the first refusal has this code.",
		OperatorSeed: hex.EncodeToString(bytes.Repeat([]byte{0}, 31)) + "02", Operator: keys.SingleAuth(key.Public()).Address(),
		ChainID: ID(bytes.Repeat([]byte{0x11}, 32)), Price: price, Rates: econ.DefaultRates(),
	}
	makeReceipts(set, key)
	var list []Receipt
	for _, v := range set.Valid {
		list = append(list, v.Receipt.Receipt)
	}
	b, err := NewBook(list, set.Price, set.Rates)
	if err != nil {
		panic(err)
	}
	set.Lines, set.LineRoot, set.ReceiptRoot = b.Lines, root(b.LineRoot), root(b.ReceiptRoot)
	makeClaims(set, b)
	return set
}

func makeReceipts(set *vectorSet, key keys.PrivateKey) {
	add := func(name, code string, edit func(r *Receipt), after func(s *SignedReceipt), damage func(b []byte) []byte) {
		r := sample()
		r.Nonce = uint64(len(set.Valid) + 1)
		r.Cum = r.Gross * fixed.Amount(r.Nonce)
		if edit != nil {
			edit(&r)
		}
		s := Sign(key, set.ChainID, r)
		if after != nil {
			after(&s)
		}
		b := enc.Encode(s)
		if damage != nil {
			b = damage(b)
		}
		v := receiptVector{Name: name, Bytes: hex.EncodeToString(b), Code: code}
		_, err := set.check(v)
		if vectorCode(err) != code || (err == nil) != (code == "") {
			panic(name + ": " + vectorCode(err))
		}
		if code != "" {
			set.Invalid = append(set.Invalid, v)
			return
		}
		shares, left, err := r.Shares(set.Price, set.Rates)
		if err != nil {
			panic(err)
		}
		v.Receipt, v.Shares, v.Left = &s, shares, &left
		v.Signed, v.Leaf = hex.EncodeToString(r.SigningBytes(set.ChainID)), hex.EncodeToString(r.Encode())
		set.Valid = append(set.Valid, v)
	}
	add("two owners share all", "", nil, nil, nil)
	add("one owner with half, the rest to the treasury", "", func(r *Receipt) { r.Attr = []Attr{{Owner: account(2), Weight: 1 << 39}} }, nil, nil)
	add("unattributed", "", func(r *Receipt) { r.Attr = []Attr{} }, nil, nil)
	add("three owners with a remainder", "", func(r *Receipt) {
		r.Attr = []Attr{{Owner: account(1), Weight: 366_503_875_926}, {Owner: account(3), Weight: 366_503_875_925}, {Owner: account(4), Weight: 366_503_875_925}}
	}, nil, nil)
	add("two units", "enc_field", func(r *Receipt) { r.Units = 2 }, nil, nil)
	add("gross zero", "enc_field", func(r *Receipt) { r.Gross = 0 }, nil, nil)
	add("gross above cum", "enc_field", func(r *Receipt) { r.Cum = r.Gross - 1 }, nil, nil)
	add("unknown rule", "enc_field", func(r *Receipt) { r.Rule = "poa/2" }, nil, nil)
	add("owners not ascending", "enc_field", func(r *Receipt) { slices.Reverse(r.Attr) }, nil, nil)
	add("an owner twice", "enc_field", func(r *Receipt) { r.Attr[1].Owner = r.Attr[0].Owner }, nil, nil)
	add("weight zero", "enc_field", func(r *Receipt) { r.Attr[0].Weight = 0 }, nil, nil)
	add("weights above 2^40", "enc_field", func(r *Receipt) { r.Attr[0].Weight++ }, nil, nil)
	add("seventeen owners", "enc_field", func(r *Receipt) { r.Attr = owners(17) }, nil, nil)
	add("another price", "rcp_sum", func(r *Receipt) { r.Gross-- }, nil, nil)
	add("a weight changed after signing", "enc_sig", nil, func(s *SignedReceipt) { s.Receipt.Attr[0].Weight-- }, nil)
	add("last bit of the signature flipped", "enc_sig", nil, func(s *SignedReceipt) { s.Sig[63] ^= 1 }, nil)
	add("another operator", "enc_sig", nil, func(s *SignedReceipt) { *s = Sign(operator, set.ChainID, s.Receipt) }, nil)
	add("another chain", "enc_sig", nil, func(s *SignedReceipt) { *s = Sign(key, ID{}, s.Receipt) }, nil)
	add("trailing byte", "enc_noncanonical", nil, nil, func(b []byte) []byte { return append(b, 0) })
	add("last byte missing", "enc_noncanonical", nil, nil, func(b []byte) []byte { return b[:len(b)-1] })
	add("nonce not in its shortest form", "enc_noncanonical", nil, nil, func(b []byte) []byte { return slices.Concat(b[:70], []byte{0x18}, b[70:]) })
	add("null for the nonce", "enc_noncanonical", nil, nil, func(b []byte) []byte { b[70] = 0xf6; return b })
	add("eleven fields", "enc_noncanonical", nil, nil, func(b []byte) []byte { b[1] = 0x8b; return b })
	add("indefinite array", "enc_noncanonical", nil, nil, func(b []byte) []byte { b[0] = 0x9f; return append(b, 0xff) })
}

func makeClaims(set *vectorSet, b *Book) {
	leaves := lineLeaves(b.Lines)
	run := func(first, last uint64) RangeProof {
		p, err := merkle.ProveSumRange(leaves, first, last)
		if err != nil {
			panic(err)
		}
		return p
	}
	for _, payee := range b.Payees() {
		first, last, p, err := b.Claim(payee)
		if err != nil {
			panic(err)
		}
		v := claimVector{Name: "all lines of a payee", Payee: payee, First: first, Last: last, Proof: hex.EncodeToString(enc.Encode(p))}
		got, err := set.claim(v)
		if err != nil {
			panic(err)
		}
		v.Amount = &got
		set.Claims = append(set.Claims, v)
	}
	bad := func(name, code string, payee keys.Address, first, last uint64, p RangeProof) {
		v := claimVector{Name: name, Payee: payee, First: first, Last: last, Proof: hex.EncodeToString(enc.Encode(p)), Code: code}
		if _, err := set.claim(v); vectorCode(err) != code {
			panic(name)
		}
		set.BadClaims = append(set.BadClaims, v)
	}
	edit := func(p RangeProof, f func(*RangeProof)) RangeProof { f(&p); return p }
	bad("a run cut short", "rcp_range", account(1), 0, 0, run(0, 0))
	bad("a run with a neighbour's line", "rcp_range", account(1), 0, 2, run(0, 2))
	bad("another payee", "rcp_range", account(2), 0, 1, run(0, 1))
	bad("other indices than proven", "rcp_range", account(1), 0, 2, run(0, 1))
	bad("the neighbour after the run missing", "rcp_range", account(1), 0, 1, edit(run(0, 1), func(p *RangeProof) { p.After = nil }))
	bad("a neighbour before line 0", "rcp_range", account(1), 0, 1, edit(run(0, 1), func(p *RangeProof) { p.Before = p.After }))
	bad("the only line given twice", "rcp_range", account(4), 5, 5, edit(run(5, 5), func(p *RangeProof) { f := p.First; p.Last = &f }))
	bad("a larger sum in a leaf", "rcp_range", account(4), 5, 5, edit(run(5, 5), func(p *RangeProof) { p.First.Sum++ }))
	bad("a larger sum in a path", "rcp_range", account(4), 5, 5, edit(run(5, 5), func(p *RangeProof) {
		p.First.Path = slices.Clone(p.First.Path)
		p.First.Path[0].Sum++
	}))
	bad("a path one step too long", "rcp_range", account(4), 5, 5, edit(run(5, 5), func(p *RangeProof) { p.First.Path = append(p.First.Path, merkle.SumNode{}) }))
}

// The three files of money hold in another language too.
func TestENC06MoneyVectorsHoldInPython(t *testing.T) {
	cmd := exec.Command("python3", "money_check.py")
	cmd.Dir = "../../docs/spec/vectors"
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("money_check.py: %v\n%s", err, out)
	}
	for _, f := range []string{"voucher.json", "receipt.json", "payout.json"} {
		if !strings.Contains(string(out), f+": ") {
			t.Errorf("%s was not checked:\n%s", f, out)
		}
	}
}
