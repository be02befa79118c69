// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"bytes"
	"encoding/binary"
	"path/filepath"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"

	"github.com/openledger/openledger/ledger/genesis"
	"github.com/openledger/openledger/testnet/compare/load"
	"github.com/openledger/openledger/testnet/compare/ours"
)

func document(t *testing.T, port int, p *load.Purse) (genesis.Doc, error) {
	t.Helper()
	_, doc, err := ours.Document(ours.Plan{Dir: filepath.Join(t.TempDir(), "doc"), Program: "/bin/false", Validators: 4, BasePort: port, Grants: p.Grants()})
	return doc, err
}

// ledgers makes n applications with one genesis.
func ledgers(t *testing.T, p *load.Purse, n int) ([]*App, genesis.Doc) {
	t.Helper()
	doc, err := document(t, 15_700, p)
	if err != nil {
		t.Fatal(err)
	}
	var out []*App
	for range n {
		a, err := OpenApp(t.TempDir(), doc)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = a.Close() })
		out = append(out, a)
	}
	return out, doc
}

func raws(list []load.Transfer) (out [][]byte) {
	for _, t := range list {
		out = append(out, t.Raw)
	}
	return out
}

func check(t *testing.T, a *App, raw []byte) uint32 {
	t.Helper()
	r, err := a.CheckTx(t.Context(), &abci.RequestCheckTx{Tx: raw})
	if err != nil {
		t.Fatal(err)
	}
	return r.Code
}

// decide runs a block as CometBFT does and returns the application hash.
func decide(t *testing.T, a *App, height int64, txs [][]byte) []byte {
	t.Helper()
	p, err := a.ProcessProposal(t.Context(), &abci.RequestProcessProposal{Txs: txs, Height: height})
	if err != nil || p.Status != abci.ResponseProcessProposal_ACCEPT {
		t.Fatalf("proposal: %v, %v", p, err)
	}
	f, err := a.FinalizeBlock(t.Context(), &abci.RequestFinalizeBlock{Txs: txs, Height: height, Time: time.Now().Add(time.Second), Hash: []byte{byte(height)}})
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range f.TxResults {
		if r.Code != 0 {
			t.Errorf("transfer %d of height %d: code %d", i, height, r.Code)
		}
	}
	if _, err := a.Commit(t.Context(), &abci.RequestCommit{}); err != nil {
		t.Fatal(err)
	}
	return f.AppHash
}

func TestTheLedgerRunsBehindTheInterface(t *testing.T) {
	p := load.NewPurse(20)
	apps, doc := ledgers(t, p, 2)
	list, err := p.Sign(doc.ChainID(), 0, 60) // three of each sender
	if err != nil {
		t.Fatal(err)
	}
	txs := raws(list)
	for i := range txs { // in any order
		if code := check(t, apps[0], txs[len(txs)-1-i]); code != 0 {
			t.Fatalf("transfer %d is refused", i)
		}
	}
	bad := bytes.Clone(txs[0])
	bad[len(bad)-1] ^= 1
	if check(t, apps[0], bad) == 0 {
		t.Error("a false signature is admitted")
	}
	// The mempool offers the last of each sender first; the first cannot go
	// without those before it.
	offered := append(append(append([][]byte{}, txs[40:]...), txs[:20]...), txs[20:40]...)
	got, err := apps[0].PrepareProposal(t.Context(), &abci.RequestPrepareProposal{Txs: offered[:40], MaxTxBytes: 1 << 20})
	if err != nil || len(got.Txs) != 20 {
		t.Fatalf("%d of 20 that are next in line, %v", len(got.Txs), err)
	}
	if got, err = apps[0].PrepareProposal(t.Context(), &abci.RequestPrepareProposal{Txs: offered, MaxTxBytes: 1 << 20}); err != nil || len(got.Txs) != 60 {
		t.Fatalf("%d of 60, %v", len(got.Txs), err)
	}
	if cut, err := apps[0].PrepareProposal(t.Context(), &abci.RequestPrepareProposal{Txs: offered, MaxTxBytes: 10*load.TxBytes + 1}); err != nil || len(cut.Txs) != 10 {
		t.Fatalf("%d of 10 that fit, %v", len(cut.Txs), err)
	}
	genesis := decide(t, apps[0], 1, nil)
	if !bytes.Equal(genesis, decide(t, apps[1], 1, nil)) {
		t.Error("two ledgers begin differently")
	}
	hash := decide(t, apps[0], 2, got.Txs)
	if bytes.Equal(hash, genesis) || !bytes.Equal(hash, decide(t, apps[0], 3, nil)) {
		t.Error("an empty block changes the state, or a full one does not")
	}
	q, err := apps[0].Query(t.Context(), &abci.RequestQuery{Data: p.Addresses()[7][:]})
	if err != nil || binary.BigEndian.Uint64(q.Value) != 3 {
		t.Errorf("nonce %x, %v", q.Value, err)
	}
	if check(t, apps[0], txs[0]) == 0 {
		t.Error("what was executed is admitted again")
	}
	refused, err := apps[1].ProcessProposal(t.Context(), &abci.RequestProcessProposal{Txs: [][]byte{bad}})
	if err != nil || refused.Status == abci.ResponseProcessProposal_ACCEPT {
		t.Error("a proposal with a false signature is accepted")
	}
}

func TestAnApplicationOpensWhereItEnded(t *testing.T) {
	p := load.NewPurse(20)
	doc, err := document(t, 15_710, p)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	a, err := OpenApp(dir, doc)
	if err != nil {
		t.Fatal(err)
	}
	list, err := p.Sign(doc.ChainID(), 0, 20)
	if err != nil {
		t.Fatal(err)
	}
	hash := decide(t, a, 5, raws(list))
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if a, err = OpenApp(dir, doc); err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	info, err := a.Info(t.Context(), &abci.RequestInfo{})
	if err != nil || info.LastBlockHeight != 5 || !bytes.Equal(info.LastBlockAppHash, hash) {
		t.Errorf("%+v, %v", info, err)
	}
}

func TestProfiles(t *testing.T) {
	doc, err := document(t, 15_720, load.NewPurse(20))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []Profile{Default, Tuned, Paced} {
		homes, err := makeHomes(Plan{Dir: t.TempDir(), Validators: 4, BasePort: 15_730, Profile: p, Doc: doc})
		if err != nil || len(homes) != 4 {
			t.Fatal(err)
		}
		c, err := loadConfig(homes[3])
		if err != nil {
			t.Fatal(err)
		}
		if tuned := c.Consensus.TimeoutCommit == 0 && !c.Mempool.Recheck && c.TxIndex.Indexer == "null" && c.P2P.SendRate == 200_000_000; tuned != (p != Default) {
			t.Errorf("%s: %+v", p, c.Consensus)
		}
		if (c.Consensus.CreateEmptyBlocksInterval == heartbeat) != (p == Paced) {
			t.Errorf("%s makes empty blocks every %v", p, c.Consensus.CreateEmptyBlocksInterval)
		}
	}
}
