// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/genesis"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/chaintest"
	"github.com/openledger/openledger/node/config"
	"github.com/openledger/openledger/node/keystore"
	"github.com/openledger/openledger/node/publish"
	"github.com/openledger/openledger/node/store"
	"github.com/openledger/openledger/node/votelog"
	"github.com/openledger/openledger/p2p"
	"github.com/openledger/openledger/rpc/api"
)

// patience bounds every wait of these tests; they wait for events, not for time.
const patience = 60 * time.Second

// live is a node that runs in this process, with a real host and database.
type live struct {
	*Node
	t      testing.TB
	cfg    Config
	cancel context.CancelFunc
	ended  chan error
}

// settings are those of a quiet node on this machine.
func settings(bootstrap []string) config.Config {
	c := config.Default()
	c.P2P = config.P2P{Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Profile: "lan", Bootstrap: bootstrap}
	c.RPC.Listen = "127.0.0.1:0"
	c.Store.CacheMiB = 16
	return c
}

// run starts a node; it is stopped when the test ends.
func run(t testing.TB, cfg Config) *live {
	t.Helper()
	l := &live{t: t, cfg: cfg}
	l.start()
	t.Cleanup(l.stop)
	return l
}

func (l *live) start() {
	l.t.Helper()
	n, err := New(l.cfg)
	if err != nil {
		l.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	l.Node, l.cancel, l.ended = n, cancel, make(chan error, 1)
	go func() { l.ended <- n.Run(ctx) }()
	for limit := within(l.t); len(n.host.Addrs()) == 0; {
		if !pause(limit, time.Millisecond) {
			l.t.Fatal("the node does not listen")
		}
	}
}

func (l *live) stop() {
	if l.cancel == nil {
		return
	}
	l.cancel()
	l.cancel = nil
	if err := <-l.ended; err != nil {
		l.t.Errorf("node stops with %v", err)
	}
}

// within is the context of one wait.
func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// await waits until the node has committed a height.
func (l *live) await(height uint64) {
	l.t.Helper()
	if height == 0 {
		return
	}
	if err := l.events.Wait(within(l.t), api.Cursor{Height: height - 1}); err != nil {
		l.t.Fatalf("height %d of %d: %v", l.chain.Head().Height, height, err)
	}
}

// send submits a transaction and waits until it is final.
func (l *live) send(v tx.Verified) api.TxStatus {
	l.t.Helper()
	got, err := l.TxSubmit(within(l.t), api.TxSubmitParams{Bytes: v.Bytes()})
	if err != nil || got.Status != "final" || got.Receipt.Number != 0 {
		l.t.Fatalf("%+v, %v", got, err)
	}
	return got
}

// cluster is four validators and a follower of one world.
type cluster struct {
	*chaintest.World
	validators []*live
	follower   *live
}

func newCluster(t testing.TB) *cluster {
	t.Helper()
	c := &cluster{World: chaintest.NewAt(t, 4, 4, uint64(time.Now().UnixMilli()))}
	var boot []string
	for i := range 4 {
		cfg := Config{Home: t.TempDir(), Settings: settings(boot), Genesis: c.Doc, Validator: c.Votes[i], Operator: c.Operator(i)}
		v := run(t, cfg)
		c.validators = append(c.validators, v)
		boot = append(boot, v.host.Addrs()[0])
	}
	c.follower = c.join(t)
	return c
}

// bootstrap is where another node can join.
func (c *cluster) bootstrap() (out []string) {
	for _, v := range c.validators {
		out = append(out, v.host.Addrs()[0])
	}
	return out
}

// join starts another follower.
func (c *cluster) join(t testing.TB) *live {
	t.Helper()
	return run(t, Config{Home: t.TempDir(), Settings: settings(c.bootstrap()), Genesis: c.Doc})
}

func (c *cluster) all() []*live { return append([]*live{c.follower}, c.validators...) }

// agree waits until all nodes have what the first validator has, and compares the
// chains block by block.
func (c *cluster) agree(t testing.TB, nodes ...*live) {
	t.Helper()
	first := c.validators[0]
	top := first.chain.Head().Height
	for _, l := range nodes {
		l.await(top)
		for h := uint64(0); h <= top; h++ {
			a, _, err1 := first.chain.Header(h)
			b, _, err2 := l.chain.Header(h)
			if err := errors.Join(err1, err2); err != nil || a.Hash() != b.Hash() {
				t.Fatalf("height %d: %v", h, err)
			}
		}
	}
}

// TestANetworkOfRealNodes runs four validators and followers over libp2p and
// Badger in one process.
func TestANetworkOfRealNodes(t *testing.T) {
	c := newCluster(t)
	t.Run("a transfer becomes final on every node with one receipt", func(t *testing.T) {
		want := c.validators[1].send(c.Transfer(0, 1, 7))
		for _, l := range c.all() {
			l.await(want.Height)
			got, err := l.TxGet(t.Context(), api.TxGetParams{TxID: want.TxID})
			if err != nil || got.Height != want.Height || got.Receipt.Fee != want.Receipt.Fee {
				t.Fatalf("%+v, %v", got, err)
			}
		}
		c.agree(t, c.all()...)
	})
	t.Run("a transfer that a follower takes becomes final", func(t *testing.T) {
		c.follower.send(c.Transfer(0, 1, 8))
	})
	t.Run("sending the same bytes again gives the same answer", func(t *testing.T) {
		v := c.Transfer(0, 1, 9)
		first := c.validators[2].send(v)
		if again := c.validators[2].send(v); again.Height != first.Height || again.Index != first.Index {
			t.Fatalf("first %+v, again %+v", first, again)
		}
	})
	t.Run("a node that joins late fetches the whole chain", func(t *testing.T) {
		late := c.join(t)
		c.agree(t, late)
		late.stop()
	})
	t.Run("a dataset travels to a node that nobody told of it", func(t *testing.T) { datasetTravels(t, c) })
	t.Run("a node of another genesis is refused by name", func(t *testing.T) {
		other := chaintest.NewAt(t, 4, 4, chaintest.GenesisMS)
		stranger := run(t, Config{Home: t.TempDir(), Settings: settings(nil), Genesis: other.Doc})
		if err := stranger.host.Connect(within(t), c.validators[0].host.Addrs()[0]); !errors.Is(err, p2p.ErrWrongNetwork) {
			t.Fatal(err)
		}
		if len(stranger.host.Peers()) != 0 {
			t.Fatal("it has peers")
		}
		stranger.stop()
	})
	t.Run("a validator that was stopped goes on where it was, with the peers it knew", func(t *testing.T) {
		v := c.validators[3]
		v.stop()
		v.cfg.Settings.P2P.Bootstrap = nil
		for i := range 3 {
			c.validators[i].send(c.Transfer(0, 3, 1))
		}
		v.start()
		c.agree(t, v)
		c.agree(t, c.all()...)
		if s, err := v.NodeStatus(t.Context(), api.Empty{}); err != nil || s.Lag > 2 || s.Validator == "" {
			t.Fatalf("%+v, %v", s, err)
		}
	})
}

// datasetTravels publishes through one node and reads through the follower.
func datasetTravels(t *testing.T, c *cluster) {
	at, terms := c.validators[1], genesis.CCBY4().ID()
	net := &tx.DatanetCreate{Name: "numbers", Terms: []tx.ID{terms}, StakeBase: 1}
	n := nonce(t, at, c.Address(2))
	created := at.send(c.Sign(2, tx.Body{Nonce: n, Payload: net}))
	csv := []byte("a,b,label\n1,2,0\n3,4,1\n")
	m, err := publish.Prepare("numbers.csv", csv, publish.Input{Name: "n", Terms: terms, Owner: c.Address(2)})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := at.blobs.Put(bytes.NewReader(csv)); err != nil {
		t.Fatal(err)
	}
	up := at.send(c.Sign(2, tx.Body{Nonce: n + 1, Payload: m.Upload(tx.ObjectID(created.TxID, tx.KindDatanetCreate, 0), 1)}))
	id := tx.ObjectID(up.TxID, tx.KindDatasetUpload, 0)
	a := publish.Announce(c.ID, publish.KindDataset, id, m.Encode(), at.host.Addrs(), c.People[2])
	c.follower.await(up.Height)
	if _, err := at.DatasetAnnounce(t.Context(), api.AnnounceParams{Announcement: a.Encode()}); err != nil {
		t.Fatal(err)
	}
	ctx := within(t)
	for heard := false; !heard; { // gossip has no event; the node's own record shows it
		if _, heard = c.follower.objects.get(c.ID, id); !heard && !pause(ctx, 10*time.Millisecond) {
			t.Fatal("the follower never heard of the dataset")
		}
	}
	got, err := c.follower.Content(ctx, id, m.Content, m.Bytes)
	if err != nil || !bytes.Equal(got, csv) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	late := c.join(t) // after the announcement: it asks for the manifest by its id
	late.await(up.Height)
	shown, err := late.DatasetManifest(within(t), api.IDParams{ID: id})
	if err != nil || !bytes.Equal(shown.Manifest, m.Encode()) {
		t.Fatalf("%+v, %v", shown, err)
	}
	late.stop()
}

func nonce(t testing.TB, l *live, a keys.Address) uint64 {
	t.Helper()
	v, err := l.AccountGet(t.Context(), api.AccountParams{Address: a})
	if err != nil {
		t.Fatal(err)
	}
	return v.Nonce
}

// alone is a network of one validator.
func alone(t testing.TB) (*chaintest.World, Config) {
	w := chaintest.NewAt(t, 1, 3, uint64(time.Now().UnixMilli()))
	return w, Config{Home: t.TempDir(), Settings: settings(nil), Genesis: w.Doc, Validator: w.Votes[0], Operator: w.Operator(0)}
}

// TestCONS45AValidatorWhoseLogIsLostObservesThenVotesAgain takes, damages and puts
// back the log of one of four validators, and deletes its guard.
func TestCONS45AValidatorWhoseLogIsLostObservesThenVotesAgain(t *testing.T) {
	tests := []struct {
		name string
		harm func(v *live, early string, h *header.Header) error
		want string
		kept int // old logs that are kept
	}{
		{"a copy from before the lease is put back", func(v *live, early string, h *header.Header) error {
			cfg := v.votelog()
			_, err := keystore.NewGuard(cfg.Guard, cfg.ID, keystore.Lease{Epoch: h.Epoch, Start: h.View, End: h.View + 255})
			return errors.Join(err, os.RemoveAll(v.walDir()), os.CopyFS(v.walDir(), os.DirFS(early)))
		}, "older copy", 1},
		{"the log is gone", func(v *live, _ string, _ *header.Header) error { return os.RemoveAll(v.walDir()) }, "is gone", 0},
		{"most of it is wiped", func(v *live, _ string, _ *header.Header) error { return wipe(v.walDir()) }, "damaged", 1},
		{"the guard is gone", func(v *live, _ string, _ *header.Header) error {
			g, err := filepath.Glob(filepath.Join(v.cfg.Home, "keys", "guard-*"))
			return errors.Join(err, os.Remove(g[0]))
		}, "guard is gone", 1},
	}
	for _, x := range tests {
		t.Run(x.name, func(t *testing.T) {
			c := newCluster(t)
			v := c.validators[3]
			send := func() { c.validators[0].send(c.Transfer(0, 1, 1)) }
			send()
			v.stop()
			early := t.TempDir()
			if err := os.CopyFS(early, os.DirFS(v.walDir())); err != nil {
				t.Fatal(err)
			}
			v.start()
			for range 5 {
				send()
			}
			c.agree(t, v)
			v.stop()
			first := c.validators[0].chain // views may have gone by until v stood still
			h, _, err := first.Header(first.Head().Height)
			if err := errors.Join(err, x.harm(v, early, h)); err != nil {
				t.Fatal(err)
			}
			v.start()
			if a := v.member.Abstains(); a == nil || a.Lost == nil || !strings.Contains(a.Warning(), x.want) {
				t.Fatalf("it does not observe: %+v", a)
			}
			send()
			c.agree(t, c.all()...)
			for ctx := within(t); !v.member.Open(); {
				if !pause(ctx, 10*time.Millisecond) {
					t.Fatal("it never asks")
				}
			}
			a := v.member.Abstains()
			s, err := v.NodeStatus(within(t), api.Empty{})
			if err != nil || a == nil || a.Bound < h.View+votelog.Margin || s.State != "observing" || len(s.Warnings) == 0 {
				t.Fatalf("%+v, %+v, %v", s, a, err)
			}
			if kept, err := filepath.Glob(v.walDir() + "-lost-*"); err != nil || len(kept) != x.kept {
				t.Fatalf("old logs %v, %v", kept, err)
			}
			if a.Bound < h.View+100 { // else it abstains for a whole lease
				c.votesAbove(t, v, h.View+4, a.Bound, send)
			}
		})
	}
}

// votesAbove fails if a final certificate of a view between from and bound has the
// signature of v, and waits for one of a later view.
func (c *cluster) votesAbove(t *testing.T, v *live, from, bound uint64, send func()) {
	for height := uint64(1); ; {
		send()
		for top := c.validators[0].chain.Head().Height; height <= top; height++ {
			_, fin, err := c.validators[0].chain.Header(height)
			if err != nil {
				t.Fatal(err)
			}
			if fin == nil || fin.View <= from || !fin.Has(v.member.Index()) {
				continue
			}
			if fin.View <= bound {
				t.Fatalf("it has signed view %d, not above %d", fin.View, bound)
			}
			if s, err := v.NodeStatus(within(t), api.Empty{}); err != nil || s.State != "validating" && fin.View > bound+4 {
				t.Fatalf("%+v, %v", s, err)
			}
			return
		}
	}
}

// wipe destroys words and their copies in a log, not its last mark.
func wipe(wal string) error {
	logs, err := filepath.Glob(filepath.Join(wal, "*.log"))
	if err != nil {
		return err
	}
	name := logs[len(logs)-1]
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	clear(b[5_000 : len(b)-100])
	return os.WriteFile(name, b, 0o600)
}

// TestADatabaseThatWasMovedAwayIsFetchedAgain keeps the log: the validator may
// vote on.
func TestADatabaseThatWasMovedAwayIsFetchedAgain(t *testing.T) {
	c := newCluster(t)
	c.validators[0].send(c.Transfer(0, 1, 1))
	v := c.validators[3]
	c.agree(t, v)
	v.stop()
	if err := os.RemoveAll(filepath.Join(v.cfg.Home, "ledger")); err != nil {
		t.Fatal(err)
	}
	v.start()
	c.validators[0].send(c.Transfer(0, 1, 2))
	c.agree(t, c.all()...)
}

// TestADamagedDatabaseIsNamedWithWhatToDo flips bytes in every table and log file.
func TestADamagedDatabaseIsNamedWithWhatToDo(t *testing.T) {
	w, cfg := alone(t)
	l := run(t, cfg)
	for range 3 {
		l.send(w.Transfer(0, 1, 1))
	}
	l.stop()
	damagedFiles := 0
	err := filepath.WalkDir(filepath.Join(cfg.Home, "ledger"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".sst" {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for i := range b {
			if i%64 == 0 {
				b[i] ^= 0xff
			}
		}
		damagedFiles++
		return os.WriteFile(path, b, 0o600)
	})
	if err != nil || damagedFiles == 0 {
		t.Fatalf("%d tables, %v", damagedFiles, err)
	}
	if _, err := New(cfg); !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), "move ") {
		t.Fatalf("got %v", err)
	}
}

// TestTheOperatorsTransactionsDoNotCollide sends many at once.
func TestTheOperatorsTransactionsDoNotCollide(t *testing.T) {
	w, cfg := alone(t)
	l := run(t, cfg)
	errs := make(chan error, 8)
	for i := range cap(errs) {
		go func() {
			errs <- services{l.Node}.Send(within(t), &tx.Transfer{To: w.Address(1), Amount: 1, Memo: fmt.Append(nil, i)})
		}()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	var refused *tx.Error
	if err := (services{l.Node}).Send(within(t), &tx.TaskClaim{Task: tx.ID{1}}); !errors.As(err, &refused) || refused.Code != tx.TskBond {
		t.Fatalf("a refusal reads %v", err)
	}
	l.stop()
}

// TestAStuckTransactionOfTheOperatorIsRaised on a node without validators, where
// nothing is ever included.
func TestAStuckTransactionOfTheOperatorIsRaised(t *testing.T) {
	w, cfg := alone(t)
	cfg.Validator = keys.PrivateKey{}
	l := run(t, cfg)
	raw, err := l.signOwn(t.Context(), &tx.Transfer{To: w.Address(0), Amount: 1})
	if err != nil {
		t.Fatal(err)
	}
	id, err := l.admit(raw)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		again, err := l.raise(t.Context(), l.pool.Get(id))
		if err != nil {
			t.Fatal(err)
		}
		next, err := l.admit(again)
		if err != nil {
			t.Fatalf("the pool refuses the raised one: %v", err)
		}
		a, err1 := tx.Decode(raw)
		b, err2 := tx.Decode(again)
		if err := errors.Join(err1, err2); err != nil || a.Body.Nonce != b.Body.Nonce || l.pool.Len() != 1 || l.pool.Has(id) {
			t.Fatalf("nonces %d and %d, %d wait, %v", a.Body.Nonce, b.Body.Nonce, l.pool.Len(), err)
		}
		id = next
	}
	l.stop()
}

// TestCONS45OneValidatorAloneResumesByItsOperatorsWord after its log is gone: it
// waits, says which command helps, and goes on when it was given the word.
func TestCONS45OneValidatorAloneResumesByItsOperatorsWord(t *testing.T) {
	w, cfg := alone(t)
	w.Doc.Params.Consensus.HeartbeatMS = 1_000
	w.ID, cfg.Genesis = w.Doc.ChainID(), w.Doc
	l := run(t, cfg)
	l.send(w.Transfer(0, 1, 1))
	resume := func(checked bool) (api.Resume, error) {
		return l.AdminResume(within(t), api.ResumeParams{Checked: checked})
	}
	var said *api.Error
	if _, err := resume(true); !errors.As(err, &said) || said.Data.Code != "NOT_ABSTAINING" {
		t.Fatalf("a validator that votes takes a word: %v", err)
	}
	l.stop()
	if err := os.RemoveAll(l.walDir()); err != nil {
		t.Fatal(err)
	}
	l.start()
	if s, err := l.NodeStatus(within(t), api.Empty{}); err != nil || s.State != "observing" || !strings.Contains(fmt.Sprint(s.Warnings), "openledger validator resume") {
		t.Fatalf("%+v, %v", s, err)
	}
	if _, err := resume(true); !errors.As(err, &said) || said.Data.Code != "RESUME_REFUSED" || !strings.Contains(said.Message, "stood still") {
		t.Fatalf("the word is taken while the last block is new: %v", err)
	}
	s, err := resume(false)
	for ctx := within(t); err == nil && strings.Contains(s.Refusal, "stood still") && pause(ctx, 20*time.Millisecond); {
		s, err = resume(false)
	}
	if err != nil || s.Refusal != "" || s.Given || s.Bound != 0 || s.SignedUpTo == 0 || s.Quorum != 1 {
		t.Fatalf("%+v, %v", s, err)
	}
	if s, err = resume(true); err != nil || !s.Given {
		t.Fatalf("%+v, %v", s, err)
	}
	l.send(w.Transfer(0, 1, 2))
}

// TestANodeWhoseHomeIsTakenAwayEnds in bounded time, and says what has happened;
// when the folder is back, the node goes on.
func TestANodeWhoseHomeIsTakenAwayEnds(t *testing.T) {
	w, cfg := alone(t)
	l := run(t, cfg)
	l.send(w.Transfer(0, 1, 1))
	away := filepath.Join(t.TempDir(), "away")
	if err := os.Rename(cfg.Home, away); err != nil {
		t.Fatal(err)
	}
	l.cancel()
	l.cancel = nil
	select {
	case err := <-l.ended:
		if err == nil || !strings.Contains(err.Error(), "deleted or moved") {
			t.Errorf("it ends with %v", err)
		}
	case <-time.After(patience):
		t.Fatal("it does not end")
	}
	if err := errors.Join(os.RemoveAll(cfg.Home), os.Rename(away, cfg.Home)); err != nil { // it may have written a file anew
		t.Fatal(err)
	}
	for ctx := within(t); ; { // until the database, which still tries to close, is free
		s, err := store.Open(cfg.Home, store.Options{CacheMiB: 16})
		if err == nil {
			err = s.Close()
		}
		if err == nil {
			break
		}
		if !pause(ctx, 20*time.Millisecond) {
			t.Fatal(err)
		}
	}
	l.start()
	l.send(w.Transfer(0, 1, 1))
}
