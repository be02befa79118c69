// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/merkle"
	"github.com/openledger/openledger/ledger/tx"
)

var update = flag.Bool("update", false, "write the fuzz corpus instead of comparing")

var chain = [32]byte{0x11}

func testKey(n byte) keys.PrivateKey { return keys.FromSeed([32]byte{n}) }

func transfer(n byte, nonce uint64) tx.Signed {
	return tx.Sign(chain, tx.Body{Nonce: nonce, MaxFee: 20_000, ValidUntil: 100, Payload: &tx.Transfer{To: keys.Address{9}, Amount: 1}}, testKey(n))
}

// block is two batches with three transactions.
func block() Block {
	b := Block{Batches: []Batch{
		{Author: 0, Seq: 1, Txs: [][]byte{transfer(1, 0).Encode(), transfer(2, 0).Encode()}},
		{Author: 0, Seq: 2, Txs: [][]byte{transfer(1, 1).Encode()}},
	}}
	b.Header = header.Header{ChainID: chain, Height: 1, View: 1, TimeMS: 5}
	seal(&b)
	return b
}

// seal makes the header fit the batches.
func seal(b *Block) {
	var digests [][32]byte
	b.Header.Txs = 0
	for i := range b.Batches {
		digests = append(digests, b.Batches[i].Digest(chain))
		b.Header.Txs += uint64(len(b.Batches[i].Txs))
	}
	b.Header.Batches, b.Header.PayloadRoot = uint64(len(b.Batches)), header.PayloadRoot(digests)
}

func TestAVerifiedBlockHoldsItsTransactionsInOrder(t *testing.T) {
	b := block()
	v, err := Verify(chain, b, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []tx.Signed{transfer(1, 0), transfer(2, 0), transfer(1, 1)}
	for i, x := range v.Txs() {
		if x.ID() != want[i].Body.ID(chain) {
			t.Errorf("transaction %d is another one", i)
		}
	}
	if len(v.Txs()) != 3 || v.Header().Height != 1 || len(v.Block().Batches) != 2 {
		t.Errorf("%d transactions", len(v.Txs()))
	}
}

func TestCONS21BlocksThatAreRefused(t *testing.T) {
	bad := transfer(1, 0)
	bad.Sigs[0].Sig[0] ^= 1
	for _, c := range []struct {
		name string
		edit func(b *Block)
		code tx.Code // of the transaction, if one is to blame
	}{
		{"another chain", func(b *Block) { b.Header.ChainID = [32]byte{1} }, 0},
		{"a batch is missing", func(b *Block) { b.Batches = b.Batches[:1] }, 0},
		{"a transaction is missing", func(b *Block) { b.Batches[0].Txs = b.Batches[0].Txs[:1] }, 0},
		{"batches in another order", func(b *Block) { b.Batches[0], b.Batches[1] = b.Batches[1], b.Batches[0] }, 0},
		{"another author", func(b *Block) { b.Batches[1].Author = 1 }, 0},
		{"a changed transaction", func(b *Block) { b.Batches[1].Txs[0][50] ^= 1 }, 0},
		{"a wrong signature", func(b *Block) { b.Batches[1].Txs[0] = bad.Encode(); seal(b) }, tx.EncSig},
		{"garbage", func(b *Block) { b.Batches[1].Txs[0] = []byte("x"); seal(b) }, tx.EncNonCanonical},
		{"an unknown kind", func(b *Block) { b.Batches[1].Txs[0][4] = 0xff; seal(b) }, tx.EncKind},
	} {
		b := block()
		c.edit(&b)
		_, err := Verify(chain, b, nil)
		if !errors.Is(err, ErrBlock) || (c.code != 0 && !errors.Is(err, c.code)) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// known is a Cache that counts hits.
type known struct {
	txs  map[string]tx.Verified
	hits int
}

func (k *known) Lookup(raw []byte) (tx.Verified, bool) {
	v, ok := k.txs[string(raw)]
	if ok {
		k.hits++
	}
	return v, ok
}

func TestKnownTransactionsAreNotVerifiedAgain(t *testing.T) {
	b := block()
	first, err := Verify(chain, b, nil)
	if err != nil {
		t.Fatal(err)
	}
	cache := &known{txs: map[string]tx.Verified{}}
	for _, x := range first.Txs()[:2] {
		cache.txs[string(x.Bytes())] = x
	}
	again, err := Verify(chain, b, cache)
	if err != nil || cache.hits != 2 {
		t.Fatalf("%d hits, %v", cache.hits, err)
	}
	for i, x := range again.Txs() {
		if x.ID() != first.Txs()[i].ID() {
			t.Errorf("transaction %d", i)
		}
	}
}

func TestBlocksRoundTrip(t *testing.T) {
	b := block()
	back, err := DecodeBlock(b.Encode())
	if err != nil || !bytes.Equal(back.Encode(), b.Encode()) || back.CheckBody() != nil {
		t.Errorf("%v", err)
	}
	empty := Block{Header: header.Header{ChainID: chain}}
	seal(&empty)
	if _, err := Verify(chain, empty, nil); err != nil {
		t.Errorf("an empty block: %v", err)
	}
	if _, err := DecodeBlock([]byte{0x80}); !errors.Is(err, ErrBlock) {
		t.Error(err)
	}
}

func TestTXN04ReceiptsCommitToEverything(t *testing.T) {
	list := []Receipt{
		{Events: []Event{{Kind: tx.KindEpochCommit, Sub: SubEpochSettled, IDs: []ID{{1}}, Amounts: []uint64{1, 2}}}},
		{TxID: ID{1}, Code: tx.TxFunds, Fee: 5},
		{TxID: ID{2}, Fee: 7, Events: []Event{{Kind: tx.KindTransfer, IDs: []ID{{3}, {4}}, Amounts: []uint64{9}}}},
	}
	root := ReceiptsRoot(list)
	leaves := make([][]byte, len(list))
	for i, r := range list {
		leaves[i] = r.Encode()
		back, err := DecodeReceipt(leaves[i])
		if err != nil || !bytes.Equal(back.Encode(), leaves[i]) {
			t.Errorf("receipt %d: %v", i, err)
		}
	}
	path, err := merkle.Prove(leaves, 1)
	if err != nil || merkle.Verify(root, leaves[1], 1, 3, path) != nil {
		t.Errorf("%v", err)
	}
	for name, f := range map[string]func(r *Receipt){
		"code": func(r *Receipt) { r.Code++ }, "fee": func(r *Receipt) { r.Fee++ }, "id": func(r *Receipt) { r.TxID[0]++ },
		"events": func(r *Receipt) { r.Events = append(r.Events, Event{}) },
	} {
		changed := list[1]
		f(&changed)
		if ReceiptsRoot([]Receipt{list[0], changed, list[2]}) == root {
			t.Errorf("another %s gives the same root", name)
		}
	}
	if !list[0].System() || list[1].System() {
		t.Error("System")
	}
}

func TestEveryEventHasOneName(t *testing.T) {
	names, seen := map[string]bool{}, map[string]bool{}
	for _, e := range EventNames {
		at := fmt.Sprint(e.Kind, e.Sub)
		if names[e.Name] || seen[at] || e.Name == "" {
			t.Errorf("%s %s", e.Name, at)
		}
		names[e.Name], seen[at] = true, true
		if (Event{Kind: e.Kind, Sub: e.Sub}).Name() != e.Name {
			t.Errorf("%s", e.Name)
		}
	}
	for _, k := range tx.Kinds {
		if EventName(k.Kind, SubDone) != k.Name {
			t.Errorf("the success of %s has no event of its name", k.Name)
		}
	}
	if EventName(1, 1) != "unknown" {
		t.Error("an unknown event has a name")
	}
}

func FuzzDecodeBlock(f *testing.F) {
	b := block()
	f.Add(b.Encode())
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := DecodeBlock(raw)
		if err != nil {
			return
		}
		if !bytes.Equal(b.Encode(), raw) {
			t.Fatal("two encodings of one block")
		}
		if _, err := Verify(chain, b, nil); err != nil && !errors.Is(err, ErrBlock) {
			t.Fatal(err)
		}
	})
}

func FuzzDecodeReceipt(f *testing.F) {
	f.Add(Receipt{TxID: ID{1}, Code: tx.TxFunds}.Encode())
	f.Fuzz(func(t *testing.T, raw []byte) {
		if r, err := DecodeReceipt(raw); err == nil && !bytes.Equal(r.Encode(), raw) {
			t.Fatal("two encodings of one receipt")
		}
	})
}

// TestTheFuzzCorpusIsCurrent compares the committed seeds, or writes them with
// -update.
func TestTheFuzzCorpusIsCurrent(t *testing.T) {
	b := block()
	broken := block()
	broken.Batches[0].Txs[0][9] ^= 1
	seal(&broken)
	for target, seeds := range map[string][][]byte{
		"FuzzDecodeBlock":   {b.Encode(), broken.Encode(), b.Encode()[:200]},
		"FuzzDecodeReceipt": {Receipt{}.Encode(), Receipt{TxID: ID{2}, Fee: 7, Events: []Event{{Kind: tx.KindTransfer, IDs: []ID{{3}}, Amounts: []uint64{9}}}}.Encode()},
	} {
		for i, seed := range seeds {
			path := filepath.Join("testdata", "fuzz", target, fmt.Sprintf("seed-%d", i))
			text := fmt.Sprintf("go test fuzz v1\n[]byte(%q)\n", seed)
			if *update {
				if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
					t.Fatal(err)
				}
			}
			if got, err := os.ReadFile(path); err != nil || string(got) != text {
				t.Errorf("%s is not current (%v); run: go test ./ledger -update", path, err)
			}
		}
	}
}
