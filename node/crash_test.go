// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/msg"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/genesis"
	"github.com/openledger/openledger/node/chaintest"
	"github.com/openledger/openledger/node/store"
	"github.com/openledger/openledger/p2p"
	"github.com/openledger/openledger/p2p/peers"
	"github.com/openledger/openledger/rpc/api"
)

var kills = flag.Int("kills", 10, "how often TestAValidatorKilledAtAnyMomentNeverContradictsItself kills a process")

// childEnv names the file that tells a child process which node to run.
const childEnv = "OPENLEDGER_TEST_NODE"

func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		fmt.Fprintln(os.Stderr, runChild(path)) // only ever ends by kill or by a fault
		os.Exit(1)
	}
	flag.Parse()
	goleak.VerifyTestMain(m)
}

// childSpec is what a child process needs.
type childSpec struct {
	Home, Genesis string
	Vote          [32]byte
	Bootstrap     []string
}

func runChild(path string) error {
	var s childSpec
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	if err != nil {
		return err
	}
	raw, err := os.ReadFile(s.Genesis)
	if err != nil {
		return err
	}
	doc, err := genesis.Decode(raw)
	if err != nil {
		return err
	}
	n, err := New(Config{Home: s.Home, Settings: settings(s.Bootstrap), Genesis: doc, Validator: keys.FromSeed(s.Vote)})
	if err != nil {
		return err
	}
	return n.Run(context.Background())
}

// recorder is a validator that says nothing: a host that keeps every signature
// that another validator ever sent to it.
type recorder struct {
	*p2p.Host
	t      testing.TB
	victim int
	key    keys.PublicKey // of the victim

	mu   sync.Mutex
	said map[word]header.Hash
	mark cert.Kind // a frame of this kind rings the bell; 0: any
	bell chan struct{}
}

// count is how many signatures of the victim were seen.
func (r *recorder) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.said)
}

// word is something that a validator signs at most once.
type word struct {
	kind  cert.Kind
	epoch uint64
	view  uint64
}

// record starts a recorder in the place of the validator with an index.
func record(t testing.TB, w *chaintest.World, index, victim int, bootstrap []string) *recorder {
	t.Helper()
	r := &recorder{t: t, victim: victim, key: w.Votes[victim].Public(), said: map[word]header.Hash{}, bell: make(chan struct{}, 1)}
	n := &Node{chain: w.Open(store.OpenMemory())}
	seed := [32]byte{0xaa}
	id, err := p2p.IDFromSeed(seed)
	if err != nil {
		t.Fatal(err)
	}
	bound := enc.Encode(binding{Key: w.Votes[index].Public(), Sig: w.Votes[index].Sign(bindingBytes(w.ID, id))})
	r.Host, err = p2p.New(p2p.Config{KeySeed: seed, ChainID: w.ID, Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Bootstrap: bootstrap, Profile: "lan",
		UserAgent: "recorder", Version: ProtocolVersion, MinVersion: ProtocolVersion, OnFrame: r.onFrame,
		Status: func() p2p.Status { return p2p.Status{Binding: bound} }, VerifyBinding: n.verifyBinding})
	if err != nil {
		t.Fatal(err)
	}
	var members []keys.PublicKey
	for _, v := range w.Votes {
		members = append(members, v.Public())
	}
	r.SetMembers(members[index], members)
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *recorder) onFrame(from keys.PublicKey, frame []byte) {
	m, err := msg.Decode(frame)
	if err != nil || from != r.key {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case m.Vote != nil && int(m.Vote.Signer) == r.victim:
		r.say(m.Vote.Kind, m.Epoch(), m.Vote.View, m.Vote.Hash())
	case m.Cert != nil && m.Cert.Has(r.victim):
		r.say(m.Cert.Kind.Vote(), m.Epoch(), m.Cert.View, m.Cert.Hash())
	case m.Proposal != nil && int(m.Proposal.Header.Leader) == r.victim:
		r.say(cert.Proposal, m.Epoch(), m.Proposal.Header.View, m.Proposal.Header.Hash())
	}
	if r.mark == 0 || r.mark == m.Kind() {
		select {
		case r.bell <- struct{}{}:
		default:
		}
	}
}

func (r *recorder) say(kind cert.Kind, epoch, view uint64, block header.Hash) {
	if old, ok := r.said[word{kind, epoch, view}]; ok && old != block {
		r.t.Errorf("%v of view %d is signed twice: %x and %x", kind, view, old[:4], block[:4])
	}
	r.said[word{kind, epoch, view}] = block
	fin, ok := r.said[word{cert.Finalize, epoch, view}]
	if _, null := r.said[word{cert.Nullify, epoch, view}]; ok && null {
		r.t.Errorf("view %d is nullified and finalized", view)
	}
	if not, voted := r.said[word{cert.Notarize, epoch, view}]; ok && voted && not != fin {
		r.t.Errorf("one block of view %d is notarized, another finalized", view)
	}
}

// await sets the mark and waits for a frame of that kind.
func (r *recorder) await(kind cert.Kind) {
	r.t.Helper()
	r.mu.Lock()
	r.mark = kind
	select {
	case <-r.bell:
	default:
	}
	r.mu.Unlock()
	select {
	case <-r.bell:
	case <-time.After(patience):
		r.t.Fatalf("no %v of the victim", kind)
	}
}

// TestAValidatorKilledAtAnyMomentNeverContradictsItself kills a validator process
// with SIGKILL right after it sent a message of each kind, and at random times,
// while transfers flow. Of four validators one, with little power, only listens, so
// nothing is decided without the victim's vote.
func TestAValidatorKilledAtAnyMomentNeverContradictsItself(t *testing.T) {
	w := chaintest.NewWeighted(t, []uint64{20, 20, 20, 1}, 2, uint64(time.Now().UnixMilli()))
	const victim, deaf = 2, 3
	var boot []string
	var live []*live
	for i := range 2 {
		l := run(t, Config{Home: t.TempDir(), Settings: settings(boot), Genesis: w.Doc, Validator: w.Votes[i]})
		live = append(live, l)
		boot = append(boot, l.host.Addrs()[0])
	}
	r := record(t, w, deaf, victim, boot)
	boot = append(boot, r.Addrs()[0])
	start := victimStarter(t, w, victim, boot)

	sending, stop := context.WithCancel(t.Context())
	var sender sync.WaitGroup
	sent := 0
	sender.Go(func() {
		for sending.Err() == nil {
			v := w.Transfer(0, 1, 1)
			if got, err := live[sent%2].TxSubmit(within(t), api.TxSubmitParams{Bytes: v.Bytes()}); err != nil || got.Receipt.Number != 0 {
				t.Errorf("transfer %d: %+v, %v", sent, got, err)
				return
			}
			sent++
		}
	})
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	kill := start()
	marks := []cert.Kind{cert.Proposal, cert.Notarize, cert.Nullify, cert.Finalize, cert.Notarization, cert.Finalization}
	for len(marks) < *kills {
		marks = append(marks, 0)
	}
	for _, mark := range marks {
		for range 5 {
			r.await(cert.Finalize)
		}
		r.await(mark)
		if mark == 0 {
			pause(t.Context(), time.Duration(rng.IntN(400_000))*time.Microsecond)
		}
		kill()
		kill = start()
	}
	r.await(cert.Finalize)
	stop()
	sender.Wait()
	top := live[0].chain.Head().Height
	sameAsVictim(t, live[0], r, top)
	kill()
	if a, err := live[0].AccountGet(t.Context(), api.AccountParams{Address: w.Address(1)}); err != nil || int(a.Balance-chaintest.Rich) != sent {
		t.Fatalf("%d transfers were final, the receiver got %d, %v", sent, a.Balance-chaintest.Rich, err)
	}
	t.Logf("%d transfers in %d blocks, %d signatures of the victim over %d lives", sent, top, r.count(), len(marks)+1)
}

// victimStarter returns a function that starts the victim's process and returns
// one that kills it.
func victimStarter(t *testing.T, w *chaintest.World, index int, boot []string) func() (kill func()) {
	dir := t.TempDir()
	spec := childSpec{Home: filepath.Join(dir, "home"), Genesis: filepath.Join(dir, "genesis.cbor"), Vote: w.Votes[index].Seed(), Bootstrap: boot}
	b, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "child.json")
	for name, content := range map[string][]byte{path: b, spec.Genesis: w.Doc.Encode()} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return func() func() {
		var out bytes.Buffer
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childEnv+"="+path)
		cmd.Stderr = &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		once := sync.OnceFunc(func() {
			if err := cmd.Process.Kill(); err != nil {
				t.Errorf("the victim had ended by itself: %v", err)
			}
			_ = cmd.Wait() // "signal: killed"
			if out.Len() > 0 {
				t.Errorf("the victim says: %s", out.String())
			}
		})
		t.Cleanup(once)
		return once
	}
}

// sameAsVictim waits until the victim's status names a block at or above top, and
// compares it with l's.
func sameAsVictim(t *testing.T, l *live, r *recorder, top uint64) {
	t.Helper()
	var id peers.ID
	for _, p := range r.Peers() {
		if p.Key == r.key {
			id = p.ID
		}
	}
	for ctx := within(t); ; {
		s, err := r.RequestStatus(ctx, id)
		if err == nil && s.Height >= top {
			l.await(s.Height)
			h, _, err := l.chain.Header(s.Height)
			if err != nil || [32]byte(h.Hash()) != s.Final {
				t.Fatalf("the victim has another block at height %d, %v", s.Height, err)
			}
			return
		}
		if !pause(ctx, time.Second) {
			t.Fatalf("the victim is at height %d of %d, %v", s.Height, top, err)
		}
	}
}
