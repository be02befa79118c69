// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/rpc/client"
	"github.com/openledger/openledger/testnet/localnet"
)

// ErrCheck reports a claim of the demo that did not hold.
var ErrCheck = errors.New("demo check failed")

// Options of Run.
type Options struct {
	Dir      string    // where network and evidence lie
	Program  string    // the openledger binary
	Keep     bool      // leave network and files
	BasePort int       // RPC port of the first node
	Out      io.Writer // the story, for people
}

// Payout is what one account received.
type Payout struct {
	Account keys.Address `json:"account"`
	Amount  fixed.Amount `json:"amount"`
}

// Report is what the demo found. Amounts are base units.
type Report struct {
	OK              bool         `json:"ok"`
	Seconds         float64      `json:"seconds"`
	Validators      int          `json:"validators"`
	StateRoots      []tx.ID      `json:"state_roots"`
	Height          uint64       `json:"height"`
	Supply          fixed.Amount `json:"supply"`
	ModelAccuracy   float64      `json:"model_accuracy"`
	ReplayEqual     bool         `json:"replay_equal"`
	LieCaught       bool         `json:"lie_caught"`
	CopyShare       fixed.Amount `json:"copy_share"` // weight of 2^40 of the copier
	RankCorrelation float64      `json:"rank_correlation"`
	FeesPaid        fixed.Amount `json:"fees_paid"`
	Payouts         []Payout     `json:"payouts"`
	PayoutsSum      fixed.Amount `json:"payouts_sum"`
	TamperedRefused bool         `json:"tampered_receipt_refused"`
	RSS             uint64       `json:"rss_bytes"` // of all node processes together
	ResultDigest    tx.ID        `json:"result_digest"`
	Dir             string       `json:"dir,omitempty"`
}

// contributors own parts of the training rows; the last one copies another's.
var contributors = []string{"ada", "ben", "cleo", "dora", "emil", "copycat"}

// epoch is short, so that the answers are settled while somebody watches.
const epoch = 10 * time.Second

const (
	requester = "trainer"
	payer     = "user"
	datanet   = "digits"
)

// story is the state of one run.
type story struct {
	o       Options
	net     *localnet.Network
	c       *client.Client // of the first validator
	key     map[string]keys.PrivateKey
	start   time.Time
	beats   int
	r       Report
	digest  digest
	data    parts
	sets    map[string]tx.ID // dataset by contributor
	valid   tx.ID
	softmax trained
	mlp     trained
	model   tx.ID
	offer   tx.ID
	base    int64 // validation loss with everybody
	effects []int64
	shares  []int64
	paid    paid
}

// Run plays the demo. Errors: ErrCheck, those of the nodes.
func Run(ctx context.Context, o Options) (Report, error) {
	s := &story{o: o, key: map[string]keys.PrivateKey{}, start: time.Now(), sets: map[string]tx.ID{}}
	err := s.play(ctx)
	if s.net != nil && (!o.Keep || err != nil) {
		err = errors.Join(err, s.net.Down())
	}
	if !o.Keep && err == nil {
		err = os.RemoveAll(o.Dir)
	} else {
		s.r.Dir = o.Dir
	}
	s.r.OK, s.r.Seconds = err == nil, time.Since(s.start).Seconds()
	return s.r, err
}

func (s *story) play(ctx context.Context) error {
	for _, beat := range []struct {
		title string
		play  func(context.Context) error
	}{
		{"network", s.network},
		{"data", s.publish},
		{"training", s.train},
		{"a lie", s.lie},
		{"attribution", s.attribute},
		{"paid answers", s.answers},
		{"a dead validator", s.fault},
		{"settlement", s.settle},
		{"the books", s.books},
	} {
		s.beats++
		at := time.Now()
		s.say("\n%d. %s\n", s.beats, beat.title)
		if err := beat.play(ctx); err != nil {
			return fmt.Errorf("beat %d, %s: %w", s.beats, beat.title, err)
		}
		s.say("   (%.1f s)\n", time.Since(at).Seconds())
	}
	return nil
}

// say tells the story.
func (s *story) say(format string, args ...any) { fmt.Fprintf(s.o.Out, format, args...) }

// fact is one line of a beat.
func (s *story) fact(format string, args ...any) { s.say("   "+format+"\n", args...) }

// check is a claim that must hold.
func check(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrCheck, fmt.Sprintf(format, args...))
}

// try prints the command with which the reader checks a beat.
func (s *story) try(format string, args ...any) {
	s.say("   check it: openledger "+format+"\n", args...)
}

// network is beat 1: separate processes agree.
func (s *story) network(ctx context.Context) error {
	dir, err := filepath.Abs(s.o.Dir)
	if err != nil {
		return err
	}
	s.o.Dir = dir
	if _, err := os.Stat(filepath.Join(dir, "network.json")); err == nil {
		old, err := localnet.Open(dir)
		if err != nil {
			return err
		}
		if err := errors.Join(old.Down(), os.RemoveAll(dir)); err != nil {
			return err
		}
	}
	accounts := map[string]fixed.Amount{requester: 1_000 * fixed.OPEN, payer: 100 * fixed.OPEN}
	for _, c := range contributors {
		accounts[c] = 10 * fixed.OPEN
	}
	s.net, err = localnet.Create(localnet.Options{Dir: dir, Program: s.o.Program, Validators: 4, Workers: 2, BasePort: s.o.BasePort, Accounts: accounts, Liar: true,
		Epoch: epoch})
	if err != nil {
		return err
	}
	if err := s.net.Start(ctx, nil); err != nil {
		return err
	}
	for name := range accounts {
		if s.key[name], err = s.net.ClientKey(name); err != nil {
			return err
		}
	}
	s.c = s.net.Nodes[0].Client()
	s.r.Validators = 4
	head, err := s.sameHead(ctx)
	if err != nil {
		return err
	}
	s.fact("4 validators and 2 workers are separate processes; block %d is final on each validator, root %.10s", head.height, head.root)
	s.try("testnet status --home %s", dir)
	return nil
}
